"""Routers on the wire: each node has a MAC of its own for each of a router's interfaces.

A router's own MAC is the same on all nodes, and switches must not see it at several of their ports.  With the node's
MAC its packets come from there; and by it the node is meant when another one sends a packet to it to be routed.
"""

import hashlib
from typing import Final

ASKS: Final = 0xFFFF_FFFF_0000  # the part that is the same on all nodes that ask for a floating IP


def wire_mac(node: str, interface_id: str, *, relayed: bool = False) -> int:
    """Locally administered; the same whoever works it out.  relayed: another one, for what a node that has been meant
    passes on, so that it is passed on once only."""
    digest = hashlib.blake2s(f"{node} {interface_id}{' relayed' * relayed}".encode(), digest_size=5).digest()
    return 0x02 << 40 | int.from_bytes(digest, "big")


def asking_mac(node: str, floating_ip_id: str) -> int:
    """The MAC by which a node probes a floating IP that moves to it.  node: empty: by which the node that had it says
    that it has released it."""
    its = hashlib.blake2s(f"{floating_ip_id} asking".encode(), digest_size=3).digest()
    who = int.from_bytes(hashlib.blake2s(node.encode(), digest_size=2).digest(), "big") or 1
    return 0x02 << 40 | int.from_bytes(its, "big") << 16 | (who if node else 0)
