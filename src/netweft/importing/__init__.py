"""An existing cloud's objects become ours, with their ids, MACs, addresses and VNIs.

Neutron's database, or OVN's ──▶ Cloud (objects as Neutron's API shows them) ──▶ take over, one by one
"""
