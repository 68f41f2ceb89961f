"""Metering labels: what a router's traffic to and from the external network is counted by."""
