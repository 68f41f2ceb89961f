"""Whether a packet passes, by what the API says: a way through networks and routers, out of a snapshot of rows.
`gather` reads; everything else is pure."""
