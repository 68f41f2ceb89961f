"""What flows cannot do for routers: advertisements, neighbours, ICMP errors."""
