"""Metadata on OVN's hosts: a `localport` on each network with VMs whose chassis has our agent (`driver = "ovn"`), which
answers there (decision 0690).  OVN answers who looks for its addresses; DHCP says that they are on the link.
"""

from typing import Final

SERVER, SERVER_6 = "169.254.169.254", "fe80::a9fe:a9fe"
ON_LINK: Final = "0.0.0.0"
ADDRESSES: Final = f"02:4e:57:a9:fe:fe {SERVER} {SERVER_6}"  # of the localport; services/metadata/ends.py has them, too
ASKED: Final = {
    4: f"ip4.dst == {SERVER} && tcp.dst == 80",
    6: f"ip6.dst == {SERVER_6} && tcp.dst == 80",
}
