"""DHCP: which requests come to the agent, and what answers them."""
