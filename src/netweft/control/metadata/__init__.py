"""Metadata for VMs: what the server knows of them, and the forms in which they ask for it."""
