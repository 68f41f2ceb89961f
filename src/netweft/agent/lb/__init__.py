"""Load balancers on this node, beyond what flows do."""
