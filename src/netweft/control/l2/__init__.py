"""Layer 2: networks and their segments, ports and where they are."""
