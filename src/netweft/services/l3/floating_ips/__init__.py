"""Floating IPs: the translation, where it is made, and ICMP errors that quote it."""
