"""Neutron-compatible HTTP, thin: resources described as data, generic handlers, query, policy, faults."""
