"""What a port may send, and what reaches it: port security, security groups, tracked connections."""
