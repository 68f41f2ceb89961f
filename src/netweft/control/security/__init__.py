"""Security groups, their rules, and the lists of addresses that rules name."""
