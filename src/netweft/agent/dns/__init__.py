"""DNS for VMs: names of their networks' ports, and, where the operator says so, all others."""
