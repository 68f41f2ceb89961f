"""/v2.0/netweft/explain: what an object is, and everything that keeps it from working.

Read only.  Whoever sees an object has it explained; findings of objects that they do not see are left out, and nodes,
wires and tunnels are shown only to callers who see agents.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import Policy, may
from netweft.api.querystring import Listing
from netweft.api.resources.explain import described, node_answers
from netweft.api.resources.explain.balancers import KINDS, Balancing
from netweft.api.resources.explain.described import TYPES
from netweft.api.resources.explain.forwardings import Forwardings
from netweft.api.resources.explain.sources import Sources
from netweft.api.service import Service
from netweft.control.errors import NotFound
from netweft.control.explain import codes
from netweft.control.explain.examine import Finding, examine
from netweft.control.explain.gather import COUNTED, Gathering
from netweft.control.explain.snapshot import Lag, Row
from netweft.control.l3 import forwardings
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction

OPENVSWITCH = "openvswitch"  # not looked at
CHANGES = 10  # that are told, the newest
_OWNERS = frozenset(  # told of their own project's objects only
    {
        codes.NETWORK_QUOTA,
        codes.GROUP_QUOTA,
        codes.GROUP_UNUSED,
        codes.ADDRESS_GROUP_UNUSED,
        codes.POLICY_UNUSED,
        codes.ADDRESS_SCOPE_UNUSED,
        codes.FIREWALL_POLICY_UNUSED,
        codes.FIREWALL_RULE_UNUSED,
    }
)


_Own: TypeAlias = Balancing | Forwardings  # what is no resource of its own at the Networking API
_FORWARDING: Final = "port_forwarding"


class NothingToExplain(NotFound):
    message = "There is nothing to explain under %(id)s"


class Explain:
    def __init__(self, sources: Sources) -> None:
        own: dict[str, _Own] = {type: Balancing(sources.store, kind) for type, kind in KINDS.items()}
        own[_FORWARDING] = Forwardings(sources.store, sources.policies["floatingips"])
        network = [type for type in TYPES if type not in own]
        of_own = {type: kind.kind for type, kind in KINDS.items()} | {_FORWARDING: forwardings.KIND}
        self._kinds = {type: sources.by_member[type].collection for type in network} | of_own
        self._services: dict[str, Service | _Own] = {type: sources.service(type) for type in network}
        self._services |= own
        self._limits = {member: sources.by_member[member].quota or 0 for member in COUNTED.values()}
        self._types = sources.types | {kind: type for type, kind in of_own.items()}
        self._policies: dict[str, Policy | _Own] = dict(sources.policies)
        self._policies |= {of_own[type]: one for type, one in own.items()}
        self._down_seconds, self._lags = sources.down_seconds, sources.lags
        self._store, self._run, self._asks = sources.store, sources.run, sources.asks

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/netweft/explain"
        return [
            Route(path, gate(self.search), methods=["GET"]),
            Route(path + "/{id}", gate(self.show), methods=["GET"]),
        ]

    async def search(self, request: Request, context: Context) -> Response:
        """What the caller sees under a name: an id, a floating IP's address and an agent's host are names too."""
        given = dict(querystring.parse(request.url.query))
        name, type = given.get("name"), given.get("type")
        if not name or (type is not None and type not in TYPES) or given.keys() - {"name", "type"}:
            raise HTTPBadRequest(f"Give a name, and perhaps a type, which is one of {', '.join(TYPES)}")
        types = [type] if type else list(TYPES)
        found = await self._run.read_much(lambda: [one for each in types for one in self._find(context, each, name)])
        return json_response({"objects": found})

    async def show(self, request: Request, context: Context) -> Response:
        lags = self._lags()
        kind, row, told = await self._run.read_much(self._explained, context, request.path_params["id"], lags)
        said = await node_answers.said(self._asks, kind, row) if self._asks else ""
        sees_nodes = may(context, "get_agent")
        if said and isinstance(said, str) and sees_nodes:
            told["unseen"] = [f"{OPENVSWITCH} of {said}", *(one for one in told["unseen"] if one != OPENVSWITCH)]
        if not isinstance(said, str):
            more = [
                described.finding(self._types[kind], one, sees_nodes=sees_nodes)
                for one in node_answers.found(row, said)
            ]
            findings = sorted([*told["findings"], *more], key=lambda one: not one["blocks"])
            unseen = [one for one in told["unseen"] if one != OPENVSWITCH]
            works = told["works"] and not any(one["blocks"] for one in more)
            told |= {"findings": findings, "unseen": unseen, "works": works}
        return json_response({"explanation": told})

    def _find(self, context: Context, type: str, name: str) -> list[Object]:
        by = {id["id"]: id for key in ("id", TYPES[type].name) for id in self._named(context, type, key, name)}
        return [described.named(type, one) for one in by.values()]

    def _named(self, context: Context, type: str, key: str, value: str) -> list[Object]:
        fields = frozenset({"id", "project_id", TYPES[type].name})
        return self._services[type].find(context, Listing(Query({key: [value]}), fields, {}), dict)

    def _explained(self, context: Context, id: str, lags: Mapping[str, Lag]) -> tuple[str, Row, Object]:
        """Its kind, as it is stored, and what its rows say."""
        type, shown = self._shown(context, id)
        kind = self._kinds[type]
        with self._store.read() as tx:
            row = tx.get(kind, id)
            if row is None:
                raise NothingToExplain(id=id)
            seen = Gathering(tx, self._down_seconds, self._limits).around(kind, row, lags)
            found = [one for one in examine(seen, kind, row) if self._is_for(tx, context, one)]
            past = tx.past(kind, id, CHANGES) if described.is_own(context, row) else []
        sees_nodes = may(context, "get_agent")
        hosts = described.nodes_of(seen, kind, row) if sees_nodes else []
        return (
            kind,
            row,
            {
                **described.facts(type, shown),
                "works": not any(one.code.blocks for one in found),
                "findings": [described.finding(self._types[one.kind], one, sees_nodes=sees_nodes) for one in found],
                "nodes": [described.node(seen, host) for host in hosts],
                "changes": [described.change(one, sees_nodes=sees_nodes) for one in past],
                "unseen": [OPENVSWITCH, *(f"feed of {host}" for host in hosts if host not in lags)],
            },
        )

    def _shown(self, context: Context, id: str) -> tuple[str, Object]:
        for type, service in self._services.items():
            try:
                return type, service.show(context, id, frozenset())
            except NotFound:
                continue
        raise NothingToExplain(id=id)

    def _is_for(self, tx: ReadTransaction, context: Context, found: Finding) -> bool:
        """The caller sees all that it is about; of quotas and of who uses what only their own project's, and
        of a host's problems, which keep nothing from working, nothing who does not see hosts."""
        if found.code in _OWNERS and not described.is_own(context, found.row):
            return False
        if found.code == codes.PORT_HOST_PROBLEMS and not may(context, "get_agent"):
            return False
        objects = [(found.kind, dict(found.row))]
        objects += [(kind, row) for kind, id in found.told.about if (row := tx.get(kind, id)) is not None]
        return all(self._policies[kind].may_see(tx, context, one) for kind, one in objects)
