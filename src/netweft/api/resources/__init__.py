"""The resources there are, as data: one file each.  See attributes.py for the words."""
