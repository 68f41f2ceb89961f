"""Layer 2's resources, and what belongs to one of them and has a path of its own."""
