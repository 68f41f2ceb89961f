"""Use cases: validate, decide, write; one transaction each.  No HTTP, no SQL."""
