"""OVN as a back end: its northbound database follows the networks, and chassis are hosts that ports can be bound to.

schema      which tables and columns are ours to write, and how a row is named: data
switching, security, firewalls, dhcp, routing      what should be there, from rows of the API: pure
northbound  how rows are read and written, by OVSDB
southbound  which chassis there are and what is plugged in there
mechanism   all of it as one mechanism

Names are those that Neutron's own driver gives (`neutron-NETWORK`, `lrp-PORT`, `pg_GROUP`), so that who knows one knows
the other, and tools that read them go on.
"""
