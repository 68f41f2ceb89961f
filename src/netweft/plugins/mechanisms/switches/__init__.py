"""Physical switches: VLANs follow the ports that are bound to hosts, and bare-metal ports (decision 0621).

inventory (a file)    which switches there are, and which of their ports lead to which host
desired               what each of them should have: pure
switch                one switch as a mechanism: what it has and what it lacks, over one of the drivers
ovsdb, ssh, ...       drivers: how such a device is read and written
"""
