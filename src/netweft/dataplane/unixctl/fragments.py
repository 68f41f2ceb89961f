"""How small fragments may be that the userspace datapath's connection tracker puts together (`dpctl/ipf-...`)."""

import re

DATAPATH = "netdev@ovs-netdev"
STATUS = ("dpctl/ipf-get-status", DATAPATH)
LEAST = 400  # what Open vSwitch goes down to
_FAMILIES = ("v4", "v6")
_SIZE = re.compile(r"^\s*min (v[46]) frag size: (\d+)\s*$", re.MULTILINE)


def wanting(status: str) -> list[tuple[str, ...]]:
    """The commands that are needed so that smaller ones are taken, too.  status: the answer to STATUS."""
    sizes = {family: int(size) for family, size in _SIZE.findall(status)}
    return [
        ("dpctl/ipf-set-min-frag", DATAPATH, family, str(LEAST)) for family in _FAMILIES if sizes.get(family, 0) > LEAST
    ]
