"""Load balancers: see `balancing`."""
