"""HAProxy: instances of it, each in a network namespace of its own.  Knows no tenant."""
