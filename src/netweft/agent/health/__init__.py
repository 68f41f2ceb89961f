"""Health monitors of load balancers: the agent asks the members that are on its node how they are."""
