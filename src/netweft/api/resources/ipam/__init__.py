"""Subnets, the pools that they come from, and what is left in them."""
