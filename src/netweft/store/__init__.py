"""The one truth: objects, their links, allocations, and the change log.  The only package with SQL."""
