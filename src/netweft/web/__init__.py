"""Pages for people: a client of the HTTP API."""
