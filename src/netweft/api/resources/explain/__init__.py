"""What an object is, where, how it should be, and what keeps it from working: /v2.0/netweft/explain."""
