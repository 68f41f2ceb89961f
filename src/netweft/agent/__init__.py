"""Wiring of the agent: sync, desired state, drivers, loop, report.  The logic lives in services and reconcile."""
