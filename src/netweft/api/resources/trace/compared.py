"""What nodes said against what the rows say: findings of the layers below the API, and of the host.  Pure."""

from collections.abc import Iterator, Sequence

from netweft.api.resources.explain.node_answers import in_words, of_interface
from netweft.api.resources.trace.nodes import Followed, Looked, last_object, row_of
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.trace import codes
from netweft.control.trace.way import Way
from netweft.findings import Code
from netweft.wire.queries import MOST_EXITS, Exit, cut

OVERHEAD = {"vxlan": 50, "gre": 42, "geneve": 58, "stt": 72}
Layered = tuple[str, Finding]  # `host`, `agent`, `openvswitch`


def compared(seen: Snapshot, followed: Followed, way: Way, about: Row, asked: Sequence[Row]) -> list[Layered]:
    """about: whom the rest is said of, where no object is to blame.  asked: the ports at the ends."""
    found = [("host", one) for one in _hosts(seen, followed, asked)]
    if followed.arrived is False:
        found += [("agent", one) for looked in followed.looked for one in _not_as_wanted(seen, looked, about)]
        found += [("openvswitch", one) for one in _lost(seen, followed, about)] if not way.blocked else []
    refused = any(one.code in codes.PACKET and one.code.blocks for one in way.findings)
    if followed.arrived and refused and way.balanced is None:  # another member may have got it
        found.append(("openvswitch", Finding("ports", about, Told(codes.OVS_PASSES, "", _where(followed)))))
    return found


def _where(followed: Followed) -> dict[str, str]:
    return {"host": followed.looked[0].host if followed.looked else "HOST"}


# -- hosts


def _hosts(seen: Snapshot, followed: Followed, asked: Sequence[Row]) -> Iterator[Finding]:
    by_id = {port["id"]: port for port in asked}
    for looked in followed.looked:
        there = {one.port_id: one for one in looked.answer.interfaces if one.port_id}
        for id, port in by_id.items():
            if port.get("binding:host_id") == looked.host:
                yield from of_interface(port, looked.host, there.get(id))
        for out in looked.answer.exits:
            yield from _of_uplink(seen, looked, out)
        network = _network(seen, looked)
        yield from _silent(looked, network) if network is not None else ()
        if looked.answer.homeless and network is not None:
            address = cut(looked.answer.homeless)
            values = {"host": looked.host, "address": address}
            yield Finding("networks", network, Told(codes.TUNNEL_HOMELESS, f"{address} on {looked.host}", values))


def _silent(looked: Looked, network: Row) -> Iterator[Finding]:
    words = {"bfd": "its BFD session is down", "arp": "nobody on the underlay answers for it"}
    heard = ", though it answers ARP: look for what drops the tunnel's packets, or keeps one of the hosts too busy"
    for one in looked.answer.silent[:MOST_EXITS]:
        far = cut(one.tunnel)
        detail = f"{far}, from {looked.host}: {words[one.by]}{heard if one.heard else ''}"
        told = Told(codes.PEER_SILENT, detail, {"host": looked.host, "far": far})
        yield Finding("networks", network, told)
    for out in looked.answer.exits:
        if out.kind == "wire" and out.asked:
            values = {"host": looked.host, "address": cut(out.asked)}
            detail = f"{looked.host} sends it to {cut(out.asked)}"
            yield Finding("networks", network, Told(codes.NEXT_HOP_SILENT, detail, values))


def _of_uplink(seen: Snapshot, looked: Looked, out: Exit) -> Iterator[Finding]:
    if out.kind not in ("wire", "tunnel"):
        return
    network = _network(seen, looked)
    for one in looked.answer.interfaces:
        if one.port_id or one.name != (out.nic or out.interface) or network is None:
            continue
        values = {"host": looked.host, "interface": one.name}
        if one.link == "down":
            yield Finding("networks", network, Told(codes.UPLINK_DOWN, f"{one.name} on {looked.host}", values))
        needs = network.get("mtu", 0) + (OVERHEAD.get(network.get("provider:network_type", ""), 0) if out.tunnel else 0)
        if one.mtu and one.mtu < needs:
            detail = f"{one.name} on {looked.host}: {one.mtu} bytes, {needs} are needed"
            yield Finding("networks", network, Told(codes.UPLINK_SMALL_MTU, detail, values | {"mtu": str(needs)}))


def _network(seen: Snapshot, looked: Looked) -> Row | None:
    port = seen.get("ports", looked.question.port_id)
    return seen.get("networks", port["network_id"] if port is not None else looked.question.network_id)


# -- what is in Open vSwitch


def _not_as_wanted(seen: Snapshot, looked: Looked, about: Row) -> Iterator[Finding]:
    for one in looked.answer.differs:
        yield _about(seen, one.object, about, codes.NOT_AS_WANTED, in_words(looked.host, one), host=looked.host)


def _lost(seen: Snapshot, followed: Followed, about: Row) -> Iterator[Finding]:
    """Where nobody else's flow decides, whose the last one is."""
    foreign = list(_foreign(followed, about))
    yield from foreign
    if not foreign:
        yield from _ours(seen, followed, about)


def _foreign(followed: Followed, about: Row) -> Iterator[Finding]:
    for looked in followed.looked:
        for hop in looked.answer.hops:
            if hop.foreign:
                detail = f"{looked.host} {hop.bridge} {hop.table}: {hop.flow}: {hop.actions}"
                match = hop.flow.replace(", priority ", ",priority=")  # as ovs-ofctl reads it
                values = {"host": looked.host, "bridge": hop.bridge, "match": match}
                yield Finding("ports", about, Told(codes.OVS_FOREIGN_FLOW, detail, values))


def _ours(seen: Snapshot, followed: Followed, about: Row) -> Iterator[Finding]:
    if followed.shared:
        address, *hosts = followed.shared
        detail = f"{address} is that of {', '.join(hosts)}"
        yield Finding("ports", about, Told(codes.TUNNEL_SHARED, detail, {"hosts": ", ".join(hosts)}))
    if followed.nobody and followed.lost is not None:
        detail = f"{followed.lost[0].host} sends it to {followed.nobody}"
        yield Finding("ports", about, Told(codes.NO_PEER, detail, {"host": followed.lost[0].host}))
    elif followed.lost is not None:
        looked, out = followed.lost
        if out.kind == "agent":
            values = {"host": looked.host, "address": cut(out.asked)}
            detail = f"{looked.host} asks for {cut(out.asked)}"
            yield _about(seen, last_object(looked.answer), about, codes.NEXT_HOP_SILENT, detail, **values)
            return
        code = codes.OVS_DROPS if out.kind == "drop" else codes.OVS_ELSEWHERE
        yield _about(seen, last_object(looked.answer), about, code, f"{looked.host}: {_words(out)}", host=looked.host)


def _words(out: Exit) -> str:
    if out.kind == "drop":
        return out.why
    return f"to {out.kind} {out.interface or out.tunnel} {out.port_id}".rstrip()


def _about(seen: Snapshot, object: str, about: Row, code: Code, detail: str, **values: str) -> Finding:
    found = row_of(seen, object)
    return (
        _finding(*found, seen, code, detail, values) if found else Finding("ports", about, Told(code, detail, values))
    )


def _finding(kind: str, row: Row, seen: Snapshot, code: Code, detail: str, values: dict[str, str]) -> Finding:
    """Of a forwarding its floating IP: that is shown."""
    floating = seen.get("floatingips", row.get("floatingip_id")) if kind == "port_forwardings" else None
    return (
        Finding("floatingips", floating, Told(code, detail, values))
        if floating is not None
        else Finding(kind, row, Told(code, detail, values))
    )
