"""Secrets of projects, encrypted where they are kept: the part of Barbican v1 that clients of load balancers use."""
