"""What keeps an object from working: findings, out of a snapshot of rows.  `gather` reads; everything else is pure."""
