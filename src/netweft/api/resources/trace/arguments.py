"""A body's arguments, checked.  No store."""

from ipaddress import ip_address, ip_network
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from netweft.api.encoding import Malformed, decode
from netweft.api.faults import HTTPBadRequest
from netweft.api.resources.trace.live.arguments import Live
from netweft.control.trace.packet import WITH_PORTS, protocol_number

OUTSIDE: Final = "outside"
MOST_TEXT = 255
MOST_BYTES = 65535  # of an IP packet
MOST_SUPPOSED = 20  # rules and routes that are not there yet


class Wanted(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """from_, to: the name or id of a port, an address, a floating IP, or `outside`.  source_address: another than the
    port's own.  size: of the packet in bytes, with its IP header.  probe: a packet is sent, where all lets it pass.
    what_if: rules and routes as if they were there: then nothing but rows is looked at.
    live: a real packet is waited for, and is what is traced."""

    from_: str
    to: str
    protocol: str = "icmp"
    port: int | None = None
    source_port: int | None = None
    source_address: str = ""
    size: int = 0
    probe: bool = False
    what_if: dict[str, Any] | UnsetType = UNSET
    live: Live | UnsetType = UNSET


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    trace: Wanted


def parse(data: bytes) -> Wanted:
    """Raises HTTPBadRequest."""
    try:
        wanted: Wanted = decode(data, Body).trace
    except Malformed as malformed:
        raise HTTPBadRequest(str(malformed)) from None
    check(wanted)
    return wanted


def check(wanted: Wanted) -> None:
    """Raises HTTPBadRequest."""
    for name, text in (("from", wanted.from_), ("to", wanted.to), ("protocol", wanted.protocol)):
        if not 0 < len(text) <= MOST_TEXT:
            raise HTTPBadRequest(f"{name} is a text of 1 to {MOST_TEXT} characters")
    for name, port in (("port", wanted.port), ("source_port", wanted.source_port)):
        if port is not None and not 1 <= port <= 65535:
            raise HTTPBadRequest(f"{name} is a number from 1 to 65535")
    if not 0 <= wanted.size <= MOST_BYTES:
        raise HTTPBadRequest(f"size is a number of bytes up to {MOST_BYTES}")
    if wanted.from_ == wanted.to == OUTSIDE:
        raise HTTPBadRequest("One of the two ends is not outside")
    number = number_of(wanted, 4)
    if (wanted.port is not None or wanted.source_port is not None) and number not in WITH_PORTS:
        raise HTTPBadRequest(f"{wanted.protocol} has no ports")
    if number in WITH_PORTS and wanted.port is None:
        raise HTTPBadRequest(f"{wanted.protocol} needs a port")
    if wanted.source_address and address_of(wanted.source_address) is None:
        raise HTTPBadRequest("source_address is no IP address")
    if wanted.live is not UNSET:
        if wanted.probe or wanted.what_if is not UNSET:
            raise HTTPBadRequest("live: a real packet goes with neither probe nor what_if")
        wanted.live.check()


def number_of(wanted: Wanted, version: int) -> int:
    """Raises HTTPBadRequest."""
    try:
        return protocol_number(wanted.protocol, version)
    except ValueError as error:
        raise HTTPBadRequest(str(error)) from None


def address_of(text: str) -> str | None:
    """As it is written in rows; None for what is none that a packet could be sent to by one."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if getattr(found, "scope_id", None):
        return None
    if found.is_multicast or found.is_unspecified or found.is_loopback or str(found) == "255.255.255.255":
        raise HTTPBadRequest(f"{found} is no address of one host")
    if found.is_link_local:  # nor does a node's metadata service stand in any row
        raise HTTPBadRequest(f"{found} is not routed: what becomes of it is in no row")
    return str(found)


def network_of(text: str) -> str:
    """Raises HTTPBadRequest."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise HTTPBadRequest(f"'{text[:MOST_TEXT]}' is no prefix") from None
