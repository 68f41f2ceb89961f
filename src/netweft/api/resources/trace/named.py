"""An end that is given by its name in DNS: the port, and whether the sender's VM would find it by that name."""

from collections.abc import Iterator
from typing import Final

from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.names import ASSIGNMENT, NAME
from netweft.control.trace.ends import Begun
from netweft.model.names import host_name
from netweft.store import Object

_PREFIX: Final = host_name("")  # of ports without a name


def filters(text: str) -> list[dict[str, list[str]]]:
    """Of ports that may be called so: by each name that it may begin with; by the address of one without a name."""
    name = _plain(text)
    labels = name.split(".")
    names = [".".join(labels[:most]) for most in range(1, len(labels) + 1)]
    found = [{NAME: [*names, f"{name}."]}]
    if labels[0].startswith(_PREFIX):
        digits = labels[0].removeprefix(_PREFIX)
        found.append({"fixed_ips.ip_address": [digits.replace("-", "."), digits.replace("-", ":")]})
    return found


def is_called(port: Object, text: str) -> bool:
    name = _plain(text)
    return any(name in (_plain(one["hostname"]), _plain(one["fqdn"])) for one in port[ASSIGNMENT])


def supposed(seen: Snapshot, begun: Begun, called: str, port: Row | None) -> Iterator[str]:
    """called: what was requested.  port: that has the name."""
    if not called or port is None:
        return
    yield f"{called} is port {port['id']}"
    start = begun.start
    if start is None or start.port is None:
        yield f"who is outside learns by other means what {called} is"
    elif start.port["network_id"] != port["network_id"]:
        yield f"the sender's VM does not find {called}: nodes answer for names of its own network alone"
    elif asked := sorted({one for subnet in _subnets(seen, start.port) for one in subnet.get("dns_nameservers") or ()}):
        yield f"the sender's VM asks {', '.join(asked)} for {called}: what is answered there is in no row"


def _subnets(seen: Snapshot, port: Row) -> Iterator[Row]:
    yield from seen.many("subnets", [fixed["subnet_id"] for fixed in port["fixed_ips"]])


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
