"""Addresses: subnets, the pools that they come from, and which port gets which."""
