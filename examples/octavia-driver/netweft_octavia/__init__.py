"""Octavia's load balancers on Netweft: a provider driver."""
