"""What a node says of itself and of its Open vSwitch, as facts that units read (`reconcile.memo`)."""

from msgspec.structs import replace

from netweft.reconcile.memo import Fact, Reader
from netweft.services.values import HostFacts, Link, Uplinks

HOST: Fact = "host"
UPLINKS: Fact = "uplinks"
NO_METERS: Fact = "no meters"  # the datapath has none
NO_LENGTHS: Fact = "no lengths"  # it does not compare packets' lengths
DISCOVERY: Fact = "discovery"  # it can turn a solicitation into its answer
CUT: Fact = "cut"  # this node's way outside is
ROUTED: Fact = "routed"  # routers lead to networks that are here


def host_facts(read: Reader) -> HostFacts:
    facts: HostFacts = read.get(HOST)
    return facts


def uplinks(read: Reader) -> Uplinks:
    """Only those that frames can be sent through."""
    links = observed_uplinks(read)
    return replace(
        links,
        tun=_usable(links.tun),
        physical={name: _usable(link) for name, link in links.physical.items()},
        overlays={name: _open(ofport) for name, ofport in links.overlays.items()},
        metadata=_open(links.metadata),
    )


def observed_uplinks(read: Reader) -> Uplinks:
    """As Open vSwitch has them, broken ones too."""
    links: Uplinks | None = read.get(UPLINKS)
    return links or Uplinks()


def _usable(link: Link) -> Link:
    return replace(link, near=_open(link.near), far=_open(link.far))


def _open(ofport: int | None) -> int | None:
    return ofport if ofport is not None and ofport > 0 else None
