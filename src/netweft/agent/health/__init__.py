"""Health monitors of load balancers: the agent probes the members that are on its node."""
