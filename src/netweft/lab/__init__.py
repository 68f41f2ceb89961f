"""Hypervisors, fabric and VMs as namespaces on one machine, built with nothing but our public commands and the API.

`layout` names things; `fabric`, `hypervisor`, `guest*` say how they are made; `supervisor` and `processes` keep and
find what runs; `build` and `vm` are the lab's verbs, `status`, `picture` and `demo` its words.
See docs/decisions/0050 to 0053.
"""
