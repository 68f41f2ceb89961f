"""Switches that are VXLAN tunnel ends themselves, by OVSDB's `hardware_vtep` schema (decision 0658).

desired      what such a switch should have: pure
database     its rows, and what is to be written for a key
mechanism    one switch: what it has and lacks, and the host that it is in the region
"""
