"""`--live`: the next real packet that matches, caught where it is sent, and what became of it (decision 0517)."""
