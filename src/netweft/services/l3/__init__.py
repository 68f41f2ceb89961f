"""Layer 3: what routers are in flows.  No namespace and no process: a packet is routed where it starts."""
