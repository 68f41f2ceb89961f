"""Layer 2: bridges, local VLANs, who gets a frame."""
