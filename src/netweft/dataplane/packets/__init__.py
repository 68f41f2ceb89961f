"""Packets as bytes, and back: what the agent says to VMs.  Knows no port and no subnet."""
