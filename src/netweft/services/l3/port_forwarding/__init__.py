"""Port forwarding: single ports of a floating IP."""
