"""What the VMs at the ends do with packets, which nobody but themselves knows: whom they ask for, and to which MAC they
send.  Compared with the rows: findings of the VM's own port, and of no other.

The sender gets a packet as if the far end had sent it, on its own interface; the receiver is listened to while the
probe arrives.  What a VM sends may be forged: so a MAC is never taken for somebody's, and names nobody."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from netweft.api.resources.trace.probing import MARK_BYTES
from netweft.control.explain.examine import Finding
from netweft.control.explain.ports import is_plugged_in
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.hosts import HOST
from netweft.control.trace import codes
from netweft.control.trace.filters import has_address
from netweft.control.trace.packet import ICMP, ICMPV6, Packet
from netweft.control.trace.way import PORT, Way, holds, owner_of, subnets_of
from netweft.findings import Code
from netweft.wire.queries import MOST_HEARD, Answer, Ask, Heard, Listen, Sent

Known = Mapping[str, str]  # addresses of ports on the VM's network -> their MACs
_ECHO = {ICMP: 8, ICMPV6: 128}


class Vm(NamedTuple):
    """One end.  packet: that it gets.  way: of what it sends back to where that came from, by the rows."""

    port: Row
    packet: Packet
    way: Way
    sends: bool


def ends(seen: Snapshot, there: Way, back: Way | None, start: Row) -> Iterator[Vm]:
    """Of which it is known what they should do."""
    first = there.steps[0].packet
    if _is_clear(seen, there, start, first.src):
        yield Vm(start, first.answered(), there, sends=True)
    far = there.at if there.end == PORT and there.balanced is None else None  # which member gets it is not known
    if back is not None and far is not None and _is_clear(seen, back, far, there.packet.dst):
        yield Vm(far, there.packet, back, sends=False)


def _is_clear(seen: Snapshot, way: Way, port: Row, own: str) -> bool:
    """Its own address, and one next hop that has the one MAC of a port."""
    network = seen.get("networks", port["network_id"])
    if not way.mac or not way.via or network is None or not is_plugged_in(port) or not has_address(port, own):
        return False
    next_hop = owner_of(seen, network, way.via)
    return next_hop is not None and has_address(next_hop, way.via) and next_hop["mac_address"] == way.mac


def question(vm: Vm) -> tuple[str, Ask]:
    """Whom to ask, and what."""
    packet = vm.packet
    kind = _ECHO.get(packet.protocol)
    sport, dport = (kind, 0) if kind is not None else (packet.sport, packet.dport)
    sent = Sent(
        eth_src=vm.way.mac,
        eth_dst=vm.port["mac_address"],
        src=packet.src,
        dst=packet.dst,
        protocol=packet.protocol,
        sport=sport,
        dport=dport,
    )
    asked = Listen(mark=secrets.token_hex(MARK_BYTES) if vm.sends else "", sends=vm.sends)
    return str(vm.port.get(HOST) or ""), Ask(id="", port_id=vm.port["id"], packet=sent, listen=asked)


def asked_for(seen: Snapshot, vm: Vm, answer: Answer) -> list[str]:
    """The addresses on its subnets that it has asked for."""
    heard = [one for one in (answer.heard or ())[:MOST_HEARD] if _makes_sense(one) and one.kind == "asks"]
    return [one.address for one in heard if _is_near(seen, vm, one.address)]


def compared(
    seen: Snapshot, vm: Vm, host: str, answer: Answer, known: Known, *, arrived: bool | None
) -> Iterator[Finding]:
    """known: of the addresses that it has asked for, those that ports have, and their MACs.
    arrived: whether a packet has come to a VM that is only listened to."""
    if answer.heard is None:
        return
    if answer.dropped > 0:
        detail = f"{answer.dropped} packets while a probe was on its way"
        yield Finding("ports", vm.port, Told(codes.LIMIT_DROPS, detail))
    heard = [one for one in answer.heard[:MOST_HEARD] if _makes_sense(one)]
    claimed = next((one for one in heard if one.kind == "claims"), None)
    if claimed is not None:
        values = {"host": host, "address": claimed.address, "mac": claimed.mac}
        detail = f"{claimed.mac} says that it has {claimed.address}"
        yield Finding("ports", vm.port, Told(codes.ADDRESS_CLAIMED, detail, values))
    sent, asked = ([one for one in heard if one.kind == kind] for kind in ("sends", "asks"))
    if any(one.partial for one in sent):
        yield Finding("ports", vm.port, Told(codes.VM_CHECKSUM, host, {"host": host}))
    others = [one.address for one in asked if one.address != vm.way.via]
    told = _wrong_next_hop(seen, vm, sent, others, known) if sent else None
    told = told or (_asked_for_another(seen, vm, others, known) if len(others) == len(asked) and not sent else None)
    if told is not None:
        yield told
    elif not sent and not any(one.address == vm.way.via for one in asked) and (vm.sends or arrived):
        yield from _silent(vm, heard)


def remembered(seen: Snapshot, vm: Vm, answer: Answer) -> Iterator[Finding]:
    """By what it has sent of its own accord in the last seconds.  Of whom it has asked for only the far end counts: who
    else that is for is not known, nor what an ARP table keeps."""
    heard = [one for one in (answer.heard or ())[:MOST_HEARD] if _makes_sense(one)]
    sent = [one for one in heard if one.kind == "sends"]
    asked = [one.address for one in heard if one.kind == "asks"]
    told = _wrong_next_hop(seen, vm, sent, asked, {}) if sent else None
    if told is None and not sent and not _is_on_link(vm) and vm.packet.src in asked:
        told = _of(vm, codes.VM_MASK, f"it asks who has {vm.packet.src}", address=_own(seen, vm))
    if told is not None:
        yield told


def _makes_sense(one: Heard) -> bool:
    """A node may say what it likes."""
    try:
        ip_address(one.address)
        return all(len(mac) in (0, 17) for mac in (one.mac, one.to))
    except ValueError:
        return False


def _wrong_next_hop(
    seen: Snapshot, vm: Vm, sent: Sequence[Heard], others: Sequence[str], known: Known
) -> Finding | None:
    """others: whom it has asked for besides."""
    if any(one.to == vm.way.mac for one in sent):
        return None
    to = sent[0].to
    detail = f"it sends to {to}, {vm.way.via} has {vm.way.mac}"
    if _is_on_link(vm) and to in _gateways(seen, vm):
        return _of(vm, codes.VM_MASK, detail, address=_own(seen, vm))
    if to in {known.get(one) for one in others}:
        return _of(vm, codes.VM_GATEWAY, detail, destination=_destination(seen, vm))
    return _of(vm, codes.VM_NEIGHBOUR, detail)


def _asked_for_another(seen: Snapshot, vm: Vm, others: Sequence[str], known: Known) -> Finding | None:
    """It has sent nothing, and has not asked for the next hop but for others: perhaps for something else."""
    if not _is_on_link(vm) and vm.packet.src in others:
        return _of(vm, codes.VM_MASK, f"it asks who has {vm.packet.src}", address=_own(seen, vm))
    nobodys = next((one for one in others if _is_near(seen, vm, one) and one not in known), None)
    if nobodys is None:
        return None
    return _of(vm, codes.VM_GATEWAY, f"it asks who has {nobodys}", destination=_destination(seen, vm))


def _silent(vm: Vm, heard: Sequence[Heard]) -> Iterator[Finding]:
    """In IPv4 its address was probed, too."""
    has = {one.mac for one in heard if one.kind == "has"}
    own = vm.port["mac_address"]
    if has and own not in has:
        yield _of(vm, codes.VM_MAC, f"it has {vm.packet.dst} at {min(has)}", mac=own)
    elif vm.sends and not has and "." in vm.packet.dst:
        yield _of(vm, codes.VM_NO_ADDRESS, f"{vm.packet.dst} was asked for", address=vm.packet.dst)
    else:
        yield _of(vm, codes.VM_SILENT, f"it got {vm.packet}", other=vm.packet.src)


def _of(vm: Vm, code: Code, detail: str, **values: str) -> Finding:
    return Finding("ports", vm.port, Told(code, detail, {"via": vm.way.via, **values}))


def _is_on_link(vm: Vm) -> bool:
    return vm.packet.src == vm.way.via


def _subnets(seen: Snapshot, vm: Vm) -> list[Row]:
    network = seen.get("networks", vm.port["network_id"])
    return list(subnets_of(seen, network)) if network is not None else []


def _gateways(seen: Snapshot, vm: Vm) -> set[str]:
    """Their MACs."""
    network = seen.get("networks", vm.port["network_id"])
    found = (one.get("gateway_ip") for one in _subnets(seen, vm)) if network is not None else ()
    ports = (owner_of(seen, network, one) for one in found if one and network is not None)
    return {port["mac_address"] for port in ports if port is not None}


def _is_near(seen: Snapshot, vm: Vm, address: str) -> bool:
    return any(holds(one, address) for one in _subnets(seen, vm))


def _subnet(seen: Snapshot, vm: Vm) -> str:
    """On which its address is; empty: that is not known."""
    return next((str(one["cidr"]) for one in _subnets(seen, vm) if holds(one, vm.packet.dst)), "")


def _destination(seen: Snapshot, vm: Vm) -> str:
    return _subnet(seen, vm) if _is_on_link(vm) else "default"


def _own(seen: Snapshot, vm: Vm) -> str:
    """Its address with the mask that it should have."""
    return f"{vm.packet.dst}/{_subnet(seen, vm).partition('/')[2]}"
