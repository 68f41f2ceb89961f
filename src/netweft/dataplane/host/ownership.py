"""The marks by which interfaces and addresses of ours are known, whatever made them."""

ALIAS = "netweft"  # on every interface that we made
ADDRESS_PROTOCOL = 0x4E  # on every address that we made: who made it, as the kernel remembers
