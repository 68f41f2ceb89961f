"""Which fragments the userspace datapath's conntrack takes, how many at once, and whose those are that it has
(`dpctl/ipf-...`)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

DATAPATH = "netdev@ovs-netdev"
STATUS = ("dpctl/ipf-get-status", DATAPATH)
LISTING = ("dpctl/ipf-get-status", "-m", DATAPATH)  # and each datagram that is not whole
LEAST = 400  # the size that Open vSwitch goes down to
MOST = 5000  # the number that it goes up to, of all together; it keeps each for 15 s, or until the datagram is whole
NEARLY_FULL = 9, 10  # of what may be kept: what comes in pieces is about to be lost, everybody's
_FAMILIES = ("v4", "v6")
_SIZE = re.compile(r"^\s*min (v[46]) frag size: (\d+)\s*$", re.MULTILINE)
_KEPT = re.compile(r"^\s*num frag: (\d+)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"^\s*max num frags \(v4/v6\): (\d+)\s*$", re.MULTILINE)
_DATAGRAM = re.compile(r"^\(src=([^,]+),dst=.*,zone=(\d+),.*,num_fragments=(\d+),", re.MULTILINE)


class Unfinished(NamedTuple):
    """A datagram that is not whole.  fragments: that it has."""

    zone: int
    src: str
    fragments: int


def wanting(status: str) -> list[tuple[str, ...]]:
    """The commands that are needed so that smaller ones are taken, too, and more.  status: the answer to STATUS."""
    sizes = {family: int(size) for family, size in _SIZE.findall(status)}
    number = _NUMBER.search(status)
    more = [("dpctl/ipf-set-max-nfrags", DATAPATH, str(MOST))] if number and int(number[1]) < MOST else []
    return more + [
        ("dpctl/ipf-set-min-frag", DATAPATH, family, str(LEAST)) for family in _FAMILIES if sizes.get(family, 0) > LEAST
    ]


def nearly_full(status: str) -> tuple[int, int] | None:
    """How many are kept, of how many, where those are nearly all.  status: the answer to STATUS."""
    kept, most = room(status)
    return (kept, most) if kept * NEARLY_FULL[1] >= most * NEARLY_FULL[0] else None


def room(status: str) -> tuple[int, int]:
    """How many are kept, and how many may be.  status: the answer to STATUS, or to LISTING."""
    kept, most = _KEPT.search(status), _NUMBER.search(status)
    return (int(kept[1]), int(most[1])) if kept and most else (0, MOST)


def unfinished(listing: str) -> Iterator[Unfinished]:
    """listing: the answer to LISTING."""
    return (Unfinished(int(zone), src, int(many)) for src, zone, many in _DATAGRAM.findall(listing))
