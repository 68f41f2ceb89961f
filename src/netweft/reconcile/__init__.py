"""Desired against actual, for anything: delta, plan, retry.  Knows no networking; imports nothing of ours."""
