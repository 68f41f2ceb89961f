"""A Netweft L2 agent for Linux bridges.  `desired` says what should be, `kernel` makes it so, `agent` joins them."""
