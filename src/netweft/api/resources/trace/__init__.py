"""Whether a packet passes, and what is in its way: /v2.0/netweft/trace."""
