"""The way to external networks: SNAT and NAT66, several gateways, the node that has one and who takes over."""
