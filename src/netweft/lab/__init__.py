"""Hypervisors, fabric and VMs as namespaces on one machine, built with nothing but our public commands and the API."""
