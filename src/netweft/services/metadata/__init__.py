"""Metadata for VMs: what flows do about it."""
