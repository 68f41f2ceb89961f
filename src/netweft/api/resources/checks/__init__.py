"""Saved checks (`/v2.0/netweft/checks`): traces that are run again when what they depend on changes (decision 0518)."""
