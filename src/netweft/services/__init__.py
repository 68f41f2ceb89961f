"""Pure: NodeView and host facts in, desired flows, rows and links out.  A file per feature; no I/O, clock, logger."""
