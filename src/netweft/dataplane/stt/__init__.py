"""STT, carried by a process of ours: TCP-like packets of any length, cut and put together.  Knows no tenant."""
