"""Clients and drivers for what the agent makes: one folder per technology.  Knows no tenant, network or port."""
