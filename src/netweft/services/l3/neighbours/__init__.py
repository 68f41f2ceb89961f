"""ARP and neighbour discovery of routers: what they answer, what they ask, what they advertise."""
