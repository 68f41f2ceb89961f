"""POST /v2.0/netweft/trace: whether a packet passes from one end to the other, and everything that is in its way.

Nothing is changed.  What its caller does not see is not there for it (`visible`); nodes are queried for
any caller, but shown only to callers who see agents.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.lb.descriptions import KINDS
from netweft.api.policy import Policy, may
from netweft.api.resources.explain import described
from netweft.api.resources.explain.balancers import Balancing
from netweft.api.resources.explain.sources import Sources
from netweft.api.resources.trace import ends, named, response, visible, what_if
from netweft.api.resources.trace.arguments import OUTSIDE, Wanted, address_of, number_of, parse
from netweft.api.resources.trace.live import response as live_told
from netweft.api.resources.trace.live.arguments import Live
from netweft.api.resources.trace.live.plan import Plan, plan
from netweft.api.resources.trace.live.response import Lived, of_packet
from netweft.api.resources.trace.live.waiting import Gone, Waiting
from netweft.api.resources.trace.lower import NOT_ASKED, Lower, Nodes
from netweft.control.errors import BadRequest
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Lag, Row, Snapshot
from netweft.control.l2 import hosts
from netweft.control.lb.vocabulary import BALANCERS
from netweft.control.trace import codes
from netweft.control.trace.ends import Begun, Far, Question, begin
from netweft.control.trace.filters import has_address
from netweft.control.trace.gather import TraceGathering
from netweft.control.trace.packet import WITH_PORTS
from netweft.control.trace.walk import answer, walk
from netweft.control.trace.way import NOWHERE, Way
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction

LAST_CHANGES = 10
SOURCE_PORT = 49152  # the first of those that clients use (RFC 6335)
FORWARD, RETURN = "forward", "return"


class NoCommonVersion(BadRequest):
    message = "The two ends have no addresses of one IP version"


class Traced(NamedTuple):
    """By the rows: layer 1."""

    frm: ends.End
    to: ends.End
    seen: Snapshot
    begun: Begun
    there: Way
    back: Way | None
    findings: list[Object]
    probes: bool


class Trace:
    def __init__(self, sources: Sources) -> None:
        self._of_ports = sources.policies["ports"]
        self._types = sources.types | {kind.kind: kind.member for kind in KINDS}
        balancing = {kind.kind: Balancing(sources.store, kind) for kind in KINDS}
        services = {ends.PORTS: sources.service("port"), ends.FLOATING: sources.service("floatingip")}
        self._ends = ends.Ends(services, balancing[BALANCERS])
        self._policies: dict[str, Policy | Balancing] = {**sources.policies, **balancing}
        self.down_seconds, self._lags = sources.down_seconds, sources.lags
        self._store, self._run = sources.store, sources.run
        self._nodes = Nodes(sources.asks, self._hosts_at, self._owners)
        self._waiting = Waiting(sources.asks) if sources.asks is not None else None

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/netweft/trace", gate(self.trace), methods=["POST"])]

    async def trace(self, request: Request, context: Context) -> Response:
        wanted = parse(await request.body())
        if wanted.live is not UNSET:
            return json_response({"trace": await self._live(context, wanted, wanted.live, request.is_disconnected)})
        return json_response({"trace": await self.traced(context, wanted)})

    async def traced(self, context: Context, wanted: Wanted) -> Object:
        suppose = what_if.parse(wanted.what_if) if wanted.what_if is not UNSET else what_if.WhatIf()
        traced = await self._rows(context, wanted, suppose)
        lower = await self._lower(context, traced) if wanted.what_if is UNSET else NOT_ASKED
        return self._told(context, traced, lower)

    async def look(
        self, context: Context, wanted: Wanted, *, nodes: bool
    ) -> tuple[Object, Mapping[str, Mapping[str, Row]]]:
        """For checks: with the rows that were read.  nodes: whether they are asked."""
        traced = await self._rows(context, wanted, what_if.WhatIf())
        lower = await self._lower(context, traced) if nodes else NOT_ASKED
        return self._told(context, traced, lower), traced.seen.rows

    async def _rows(self, context: Context, wanted: Wanted, suppose: what_if.WhatIf) -> Traced:
        return await self._run.read_much(self._by_rows, context, wanted, suppose, self._lags())

    async def _lower(self, context: Context, traced: Traced) -> Lower:
        ways = (traced.begun, traced.there, traced.back)
        return await self._nodes.look(context.user_id, traced.seen, *ways, probes=traced.probes)

    # -- of a real packet

    async def _live(self, context: Context, wanted: Wanted, asked: Live, gone: Gone) -> Object:
        """What is waited for is what the rows let come; what is traced then is the packet that came."""

        def look() -> tuple[Traced, Plan | None]:
            traced = self._by_rows(context, wanted, what_if.WhatIf(), self._lags())
            return traced, self._plan(context, wanted, traced)

        async def replan() -> Plan | None:
            return (await self._run.read_much(look))[1]

        traced, plan = await self._run.read_much(look)
        began, found = time.monotonic(), None
        if plan is not None and self._waiting is not None:
            found = await self._waiting.catch(context.project_id or "", asked, plan, replan, gone)
        waited = time.monotonic() - began
        if found is not None and found.fates:
            its = of_packet(wanted, found.fates[0].sent.frame, outside=traced.frm.kind in (OUTSIDE, ends.ADDRESS))
            traced = await self._rows(context, its, what_if.WhatIf())
        return self._told(context, traced, await self._lower(context, traced), Lived(asked, found, waited))

    def _plan(self, context: Context, wanted: Wanted, traced: Traced) -> Plan | None:
        """Raises PolicyNotAuthorized where no packet of the two ends is the caller's to see."""
        ports = [traced.begun.start.port if traced.begun.start else None, traced.begun.target, traced.there.at]
        policy = self._of_ports
        with self._store.read() as tx:
            there = [found for one in ports if one and (found := tx.get("ports", one["id"])) is not None]
            mine = {one["id"] for one in there if policy.allows(tx, context, "update_port", one)}
            if there and not mine:
                policy.require(tx, context, "update_port", there[0])
        if not mine:
            raise HTTPBadRequest("Packets are caught at ports: one of the ends is a port")
        return plan(traced.seen, traced.begun, traced.there, mine, wanted.source_port or 0)

    async def _hosts_at(self, tunnel_address: str) -> list[str]:
        """Nodes say the address: it may be none."""

        def work() -> list[str]:
            with self._store.read() as tx:
                return hosts.rivals(tx, "", tunnel_address)

        if address_of(tunnel_address) is None:
            return []
        return await self._run.read(work)

    async def _owners(self, network: str, addresses: Sequence[str]) -> Mapping[str, str]:
        """Of these on the network, whoever sees them: those that ports have, and their MACs."""

        def work() -> dict[str, str]:
            with self._store.read() as tx:
                query = Query({"network_id": [network], "fixed_ips.ip_address": sorted(set(addresses))})
                found = tx.query("ports", query)
            return {fixed["ip_address"]: port["mac_address"] for port in found for fixed in port["fixed_ips"]}

        return await self._run.read(work) if addresses else {}

    # -- layer 1

    def _by_rows(self, context: Context, wanted: Wanted, suppose: what_if.WhatIf, lags: Mapping[str, Lag]) -> Traced:
        frm = self._start(context, self._ends.find(context, wanted.from_))
        to = self._ends.find(context, wanted.to, frm.network)
        with self._store.read() as tx:
            seen = self._seen(context, tx, frm, to, suppose, lags)
            if wanted.probe:
                self._check_may_send(context, tx, frm)
        protocol = {version: number_of(wanted, version) for version in (4, 6)}
        with_ports = protocol[4] in WITH_PORTS
        sport = (wanted.source_port or SOURCE_PORT) if with_ports else 0
        source = wanted.source_address or (frm.address if frm.kind != ends.FLOATING else "")
        asked = Question(protocol, sport, wanted.port or 0, source, wanted.size)
        begun = begin(seen, _far(seen, frm), _far(seen, to), asked)
        named_so = named.supposed(seen, begun, to.called, seen.get("ports", to.id))
        begun = begun._replace(assumptions=(*begun.assumptions, *named_so))
        if begun.start and begun.start.port and begun.packet and has_address(begun.start.port, begun.packet.dst):
            raise HTTPBadRequest("Both ends are the same port")
        there, back = _ways(seen, begun)
        sees_nodes = may(context, "get_agent")
        found = [
            (direction, one)
            for direction, way in ((FORWARD, there), (RETURN, back))
            for one in (way.findings if way else ())
        ]
        changes = self._changes(context, [one for _, one in found], sees_nodes=sees_nodes)
        findings = [
            response.finding(self._types, one, layer="api", direction=direction, sees_nodes=sees_nodes)
            | {"changed": changes.get((one.kind, one.row["id"]))}
            for direction, one in found
        ]
        return Traced(frm, to, seen, begun, there, back, _once(findings), wanted.probe)

    def _changes(
        self, context: Context, found: Sequence[Finding], *, sees_nodes: bool
    ) -> dict[tuple[str, str], Object]:
        """Who has changed what is in the way last, and when: of the caller's own.  A user, as long as the change log
        knows one: nodes write statuses after each change."""
        mine = {(one.kind, one.row["id"]) for one in found if described.is_own(context, one.row)}
        with self._store.read() as tx:
            past = {key: tx.past(*key, LAST_CHANGES) for key in sorted(mine)}
        last = {key: described.last_by_user(changes) for key, changes in past.items() if changes}
        return {key: described.change(one, sees_nodes=sees_nodes) for key, one in last.items()}

    def _start(self, context: Context, end: ends.End) -> ends.End:
        """Of an address: the port that has it, or somebody outside."""
        if end.kind != ends.ADDRESS:
            return end
        found = self._ends.ports_with(context, end.address)
        if len(found) > 1:
            raise ends.SeveralOfThatName(name=end.address, ids=", ".join(one["id"] for one in found))
        return replace_end(end, found[0]["id"]) if found else end

    def _check_may_send(self, context: Context, tx: ReadTransaction, frm: ends.End) -> None:
        """Who may change the port may send from it.  Raises PolicyNotAuthorized."""
        port = tx.get("ports", frm.id) if frm.kind == ends.PORTS else None
        if port is None:
            raise HTTPBadRequest("A probe is sent at a port: give one that it is from")
        self._of_ports.require(tx, context, "update_port", port)

    def _seen(
        self,
        context: Context,
        tx: ReadTransaction,
        frm: ends.End,
        to: ends.End,
        suppose: what_if.WhatIf,
        lags: Mapping[str, Lag],
    ) -> Snapshot:
        gathered = TraceGathering(tx, self.down_seconds)
        for end in (frm, to):
            port = tx.get("ports", end.id) if end.kind == ends.PORTS else None
            if port is not None:
                gathered.port(port)
        gathered.settle()
        for end in (frm, to):
            if end.address:
                gathered.address(end.address)
        gathered.settle()
        networks = {row["id"] for row in gathered.base.rows.get("networks", {}).values()}
        gathered.addresses(networks, what_if.next_hops(suppose))
        ports = (tx.get("ports", end.id) for end in (frm, to) if end.kind == ends.PORTS)
        fixed = [one["ip_address"] for port in ports if port is not None for one in port["fixed_ips"]]
        gathered.members([*fixed, *filter(None, (frm.address, to.address))])
        whole = gathered.base.snapshot(lags)
        rows = visible.as_seen_by(context, tx, self._policies, whole)
        what_if.supposed(rows, suppose, whole.rows)
        return replace(whole, rows=rows, whole=visible.whole_kinds(context, rows))

    # -- the answer

    def _told(self, context: Context, traced: Traced, lower: Lower, lived: Lived | None = None) -> Object:
        sees_nodes = may(context, "get_agent")
        packet = traced.begun.packet
        ways = [traced.there, traced.back]
        assumed = [*traced.begun.assumptions, *(one for way in ways if way for one in way.assumptions)]
        below = [
            response.finding(self._types, one, layer=layer, direction=direction, sees_nodes=sees_nodes)
            for direction, (layer, one) in lower.findings
            if sees_nodes or one.code.blocks or one.code not in codes.UNDERLAY
        ]
        findings = _once([*traced.findings, *below])
        if lived is not None:
            findings = self._of_live(traced, lived, findings, sees_nodes=sees_nodes)
        shown = [response.way(self._types, one, sees_nodes=sees_nodes) if one else None for one in ways]
        unseen = [*lower.there.unseen, *lower.back.unseen]
        unseen += [f"probe: {lower.probed.why}"] if lower.probed and lower.probed.why else []
        unseen += live_told.unseen(lived.found) if lived else []
        passes = lived.arrived if lived and lived.found else response.passes(ways, findings)
        return {
            "from": traced.frm.said(),
            "to": traced.to.said(),
            "packet": packet._asdict() if packet else None,
            "passes": None if passes and unseen and not (lived and lived.found) else passes,
            "parts_at": next((one["layer"] for one in findings if one["blocks"]), None),
            "findings": findings,
            "assumptions": list(dict.fromkeys(assumed)),
            "forward": shown[0],
            "return": shown[1],
            "probe": response.probe(lower, sees_nodes=sees_nodes),
            "live": lived.told(lower, sees_nodes=sees_nodes) if lived else None,
            "layers": response.layers(ways, lower),
            "nodes": response.nodes(lower) if sees_nodes else [],
            "unseen": list(dict.fromkeys(unseen)) if sees_nodes else ["openvswitch"] if unseen else [],
        }

    def _of_live(self, traced: Traced, lived: Lived, findings: list[Object], *, sees_nodes: bool) -> list[Object]:
        """What has arrived was stopped by nothing: it is of a connection that was there before, or nodes are behind."""
        if lived.arrived:
            return [one for one in findings if not one["blocks"]]
        about = traced.begun.start.port if traced.begun.start else None
        lost = live_told.finding(lived.found, about or traced.begun.target)
        if lost is None or any(one["blocks"] for one in findings):
            return findings
        its = response.finding(self._types, lost, layer="packet", direction=FORWARD, sees_nodes=sees_nodes)
        return [its, *findings]


def replace_end(end: ends.End, id: str) -> ends.End:
    return end._replace(kind=ends.PORTS, id=id)


def _far(seen: Snapshot, end: ends.End) -> Far:
    if end.kind == ends.PORTS:
        return Far(port=seen.get("ports", end.id), address=end.address)
    if end.kind == ends.FLOATING:
        return Far(floating=seen.get("floatingips", end.id))
    return Far() if end.kind == OUTSIDE else Far(address=end.address)


def _ways(seen: Snapshot, begun: Begun) -> tuple[Way, Way | None]:
    if begun.start is None or begun.packet is None:
        if begun.way is None:
            raise NoCommonVersion()
        return begun.way, None
    there = walk(seen, begun.start, begun.packet, begun.target)
    return there, answer(seen, there, begun.start) if there.end != NOWHERE else None


def _once(findings: list[Object]) -> list[Object]:
    """What is in the way there and back is said once; first what blocks."""
    seen: list[Object] = []
    for one in findings:
        same = {name: value for name, value in one.items() if name != "direction"}
        if all(same != {name: value for name, value in other.items() if name != "direction"} for other in seen):
            seen.append(one)
    return sorted(seen, key=lambda one: not one["blocks"])
