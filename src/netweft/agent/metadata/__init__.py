"""Metadata for VMs: what the agent says."""
