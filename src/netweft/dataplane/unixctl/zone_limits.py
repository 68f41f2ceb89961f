"""How many connections conntrack may have, and each of its zones (`dpctl/ct-...`).  Commands and what they say.

A zone's connections are counted from the moment that it has a limit.  All that have none share the count of `default`:
that is of no use.  ovs-vswitchd forgets limits when it ends, the kernel does not.  It counts what it refuses, too,
until it finds that they are not there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

MOST: Final = ("dpctl/ct-get-maxconns",)  # of all zones; vswitchd does not read the kernel datapath's
TRACKED: Final = ("dpctl/ct-get-nconns",)
AT_ONCE: Final = 200  # zones in one command: vswitchd's time grows with their square

_ZONE = re.compile(r"^zone=(\d+),limit=(\d+),count=(\d+)\s*$", re.MULTILINE)


class Zone(NamedTuple):
    """limit: 0 for none.  tracked: since it has one."""

    number: int
    limit: int
    tracked: int


def asked(zones: Iterable[int]) -> Iterator[tuple[str, ...]]:
    """Commands whose answers `zones` reads."""
    for part in _parts(sorted(zones)):
        yield "dpctl/ct-get-limits", f"zone={','.join(map(str, part))}"


def setting(limits: Mapping[int, int]) -> Iterator[tuple[str, ...]]:
    """Commands.  limits: by zone; 0 for none."""
    for part in _parts(sorted(zone for zone, limit in limits.items() if limit)):
        yield "dpctl/ct-set-limits", *(f"zone={zone},limit={limits[zone]}" for zone in part)
    for part in _parts(sorted(zone for zone, limit in limits.items() if not limit)):
        yield "dpctl/ct-del-limits", f"zone={','.join(map(str, part))}"


def zones(said: str) -> Iterator[Zone]:
    return (Zone(*map(int, found)) for found in _ZONE.findall(said))


def _parts(numbers: list[int]) -> Iterator[list[int]]:
    return (numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE))
