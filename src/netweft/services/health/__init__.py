"""Health monitors of load balancers: what flows do about them, and whose member a node watches."""
