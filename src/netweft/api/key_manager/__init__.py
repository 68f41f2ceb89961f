"""Barbican's API v1, as far as clients of load balancers use it: secrets, containers, access lists, consumers."""
