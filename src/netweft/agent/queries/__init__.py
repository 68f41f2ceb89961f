"""What a server may ask of this node: what a packet meets here, and what is not as it is wanted.  Changes nothing."""
