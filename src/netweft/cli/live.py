"""`netweft trace --live`: its options, what is shown of the packet that came, and its file."""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from netweft.cli.errors import CommandError

F = TypeVar("F", bound=Callable[..., Any])
_BYTES: Final = 1600  # of a packet in a file: all of it but for what offloads have joined
_MAGIC, _MAJOR, _MINOR, _ETHERNET = 0xA1B2C3D4, 2, 4, 1  # of the pcap format
_ICMP: Final = (1, 58)
_NAMES: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}
_ENDS = {True: "it arrived", False: "it did not arrive", None: "not found out whether it arrived"}

_OPTIONS = (
    click.option("--live", is_flag=True, help="wait for the next real packet that matches (of a port that is yours)"),
    click.option("--dropped", is_flag=True, help="with --live: for the next that does not arrive"),
    click.option(
        "--seconds", type=click.FloatRange(1, 120), default=30.0, show_default=True, help="with --live: that it waits"
    ),
    click.option(
        "--packets", type=click.IntRange(1, 100), default=1, show_default=True, help="with --live: how many to catch"
    ),
    click.option(
        "--pcap",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        help="with --live: write the packets, as the VMs see them, to a file that tcpdump and Wireshark read",
    ),
)


def options(command: F) -> F:
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def asked(pcap: Path | None, *, live: bool, dropped: bool, seconds: float, packets: int) -> dict[str, Any]:
    """For the request's body.  Raises CommandError."""
    if not live:
        if dropped or pcap or packets != 1:
            raise CommandError("--dropped, --packets and --pcap go with --live")
        return {}
    more = {"capture": True, "bytes": _BYTES} if pcap else {}
    return {"live": {"seconds": seconds, "dropped": dropped, "packets": packets} | more}


def seconds(body: Mapping[str, Any]) -> float:
    return float(body.get("live", {}).get("seconds", 0.0))


@contextmanager
def written(path: Path | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """What writes an answer's packets: the file is there before anything is waited for.  Raises CommandError."""
    if path is None:
        yield lambda told: None
        return
    try:
        with path.open("wb") as file:
            file.write(struct.pack("=IHHiIII", _MAGIC, _MAJOR, _MINOR, 0, 0, _BYTES, _ETHERNET))
            yield lambda told: file.writelines(map(_record, told["live"]["packets"]))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None


def _record(packet: Mapping[str, Any]) -> bytes:
    data, microseconds = base64.b64decode(packet["data"]), round(packet["at"] * 1_000_000)
    moment = (microseconds // 1_000_000, microseconds % 1_000_000)
    return struct.pack("=IIII", *moment, len(data), max(packet["length"], len(data))) + data


def text(told: Mapping[str, Any]) -> Iterator[str]:
    its = told.get("live")
    if not its:
        return
    if its["packet"] is None:
        yield f"live: {its['why']}, in {its['waited']:g} s"
    else:
        yield f"live: {_packet(its['packet'])}: {_ENDS[its['arrived']]}"
    for one in its["seen"]:
        yield f"    {_seen(one)}"
    if by := its.get("dropped_by"):
        whose = f"  [{by['reason']} {by['object']}]" if by["object"].strip("0") else ""
        yield f"    dropped on {by['host']}: {by['bridge']} {by['table']}: {by['flow'] or 'no flow'}{whose}"
    if its["passed"]:
        yield f"    {its['passed']} that arrived came before"
    if its["lost"]:
        yield f"    {its['lost']} packets were too many to be looked at"


def _packet(packet: Mapping[str, Any]) -> str:
    """As the steps of a way write it; of ICMP the ports are type and code."""
    protocol, sport, dport = packet["protocol"], packet["sport"], packet["dport"]
    src, dst, more = packet["src"], packet["dst"], ""
    if protocol in _ICMP:
        more = f", type {sport} code {dport}"
    elif sport or dport:
        src, dst = (f"[{address}]" if ":" in address else address for address in (src, dst))
        src, dst = f"{src}:{sport}", f"{dst}:{dport}"
    flags = f", flags {packet['flags']}" if packet["flags"] else ""
    name = _NAMES.get(protocol, f"protocol {protocol}")
    return f"{name} {src} -> {dst}{more}{flags}, {packet['length']} bytes, TTL {packet['ttl']}"


def _seen(one: Mapping[str, Any]) -> str:
    if one["port_id"]:
        where = f"port {one['port_id']}: {'given to the VM' if one['out'] else 'sent by the VM'}"
    else:
        where = "leaves the node" if one["out"] else "comes to the node"
    by = f" {one['host']} {one['interface']}" if one.get("host") else ""
    tunnel = f" in {one['tunnel']}" if one.get("tunnel") else ""
    return f"{where}{tunnel}:{by} {one['src']} -> {one['dst']}, TTL {one['ttl']}"
