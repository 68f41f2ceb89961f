"""Security groups' resources, and the address groups that their rules name."""
