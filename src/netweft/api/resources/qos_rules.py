"""/v2.0/qos/policies/ID/..._rules, /v2.0/qos/alias_..._rules/ID and /v2.0/qos/rule-types."""

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, pages, querystring
from netweft.api.attributes import Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest, PolicyNotAuthorized
from netweft.api.gate import Gate, Handler
from netweft.api.resources.qos import NOT_SUPPORTED, RULE_TYPES, RuleType
from netweft.api.resources.standard import READ_ONLY
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control import qos
from netweft.control.errors import NotFound
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store, WriteTransaction

_DRIVER = "openvswitch"
_CHOICES = ("all_supported", "all_rules")


class QosRuleTypeNotFound(NotFound):
    type = "NotFound"
    message = "Rule type %(type)s could not be found."


class _Types(NamedTuple):
    """As lists describe them."""

    collection: str = "rule_types"
    attributes: Mapping[str, Attribute] = {"type": Attribute(check=READ_ONLY, filter=True)}
    computed: frozenset[str] = frozenset()


class QosRules:
    def __init__(self, policy: Resource, store: Store) -> None:
        self._service = Service(policy, store)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        own = [route for type in RULE_TYPES.values() for route in _Rules(type, self._service, self._store).routes(gate)]
        return [
            *own,
            Route("/v2.0/qos/rule-types", gate(self.types), methods=["GET"]),
            Route("/v2.0/qos/rule-types/{type}", gate(self.type), methods=["GET"]),
        ]

    async def types(self, request: Request, context: Context) -> Response:
        """There is one driver, so what some drivers support is what all of them do."""
        pairs = querystring.parse(request.url.query)
        wanted = {name: value for name, value in pairs if name in _CHOICES}
        listing = querystring.listing(_Types(), [pair for pair in pairs if pair[0] not in _CHOICES])
        chosen = {name: querystring.flag(name, value) for name, value in wanted.items()}
        if all(chosen.get(name) for name in _CHOICES):
            raise HTTPBadRequest("Only one of all_supported and all_rules can be asked for.")
        known = (*RULE_TYPES, *NOT_SUPPORTED) if chosen.get("all_rules") else RULE_TYPES
        absent = QosRuleTypeNotFound(type=listing.query.marker)
        page = pages.of_parts(listing.query, [{"type": type} for type in known], absent, "type")
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Types(), listing, page, url, pairs, "type"))

    async def type(self, request: Request, context: Context) -> Response:
        if not context.is_admin:  # as Neutron's plugin has it, whatever the rule says
            raise PolicyNotAuthorized(action="get_rule_type")
        found = RULE_TYPES.get(request.path_params["type"])
        if found is None:
            raise QosRuleTypeNotFound(type=request.path_params["type"])
        drivers = [{"name": _DRIVER, "supported_parameters": found.details()}]
        return json_response({"rule_type": {"type": found.type, "drivers": drivers}})


class _Rules:
    """The rules of one type; a rule's path names its policy, or an alias of the path leaves that to be found out."""

    def __init__(self, type: RuleType, service: Service, store: Store) -> None:
        self._type = type
        self._service = service
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = f"/v2.0/qos/policies/{{policy_id}}/{self._type.collection}"
        alias = f"/v2.0/qos/alias_{self._type.collection}"
        handlers: list[tuple[str, str, Handler]] = [
            (path, "GET", self.list),
            (path, "POST", self.create),
            *(
                (one, method, handler)
                for one in (path + "/{id}", alias + "/{id}")
                for method, handler in (("GET", self.show), ("PUT", self.update), ("DELETE", self.delete))
            ),
        ]
        return [Route(path, gate(handler), methods=[method]) for path, method, handler in handlers]

    async def list(self, request: Request, context: Context) -> Response:
        pairs, policy_id = querystring.parse(request.url.query), request.path_params["policy_id"]
        listing = querystring.listing(self._type, pairs)

        def found(tx: ReadTransaction, policy: Object) -> list[Object]:
            return [_shown(rule) for rule in policy["rules"] if rule["type"] == self._type.type]

        rules = await self._run.read(self._service.ask, context, policy_id, self._rule_for("get"), found) or []
        absent = qos.QosRuleNotFound(rule_id=listing.query.marker, policy_id=policy_id)
        page = pages.of_parts(listing.query, rules, absent)
        return json_response(querystring.answer(self._type, listing, page, str(request.url.replace(query="")), pairs))

    async def show(self, request: Request, context: Context) -> Response:
        return json_response({self._type.member: _shown((await self._seen(request, context))[1])})

    async def create(self, request: Request, context: Context) -> Response:
        (wanted,), _ = body.for_create(self._type, body.parse(await request.body()), context)
        values = {name: value for name, value in wanted.items() if name in self._type.attributes}

        def create(tx: WriteTransaction, policy: Object) -> Object:
            return _shown(qos.add_rule(tx, policy, self._type.type, values))

        rule = self._rule_for("create")
        try:
            added = await self._run.write(self._service.act, context, request.path_params["policy_id"], rule, create)
        except qos.QosPolicyNotFound:
            if context.is_admin:
                raise
            raise PolicyNotAuthorized(action=rule) from None  # whether there is such a policy, or none
        return json_response({self._type.member: added}, 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = body.for_update(self._type, body.parse(await request.body()))
        id = request.path_params["id"]

        def update(tx: WriteTransaction, policy: Object) -> Object:
            return _shown(qos.change_rule(tx, policy, qos.rule(policy, self._type.type, id), changes))

        policy_id, _ = await self._seen(request, context)
        changed = await self._run.write(self._service.act, context, policy_id, self._rule_for("update"), update)
        return json_response({self._type.member: changed})

    async def delete(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]

        def delete(tx: WriteTransaction, policy: Object) -> None:
            qos.remove_rule(tx, policy, qos.rule(policy, self._type.type, id))

        policy_id, _ = await self._seen(request, context)
        await self._run.write(self._service.act, context, policy_id, self._rule_for("delete"), delete)
        return Response(status_code=204)

    def _rule_for(self, verb: str) -> str:
        return f"{verb}_policy_{self._type.member}"

    async def _seen(self, request: Request, context: Context) -> tuple[str, Object]:
        """The ids that the path names, or leaves to be found out; an alias tells nothing of others' policies."""
        id, named = request.path_params["id"], request.path_params.get("policy_id")
        policy_id = named or await self._run.read(self._policy_of, id)
        found = None
        with contextlib.suppress(*(() if named else (NotFound,))):
            found = policy_id and await self._run.read(
                self._service.ask,
                context,
                policy_id,
                self._rule_for("get"),
                lambda tx, policy: qos.rule(policy, self._type.type, id),
            )
        if not found:
            raise qos.QosRuleNotFound(rule_id=id, policy_id=named)
        return str(policy_id), found

    def _policy_of(self, rule_id: str) -> str | None:
        with self._store.read() as tx:
            return qos.policy_of_rule(tx, rule_id)


def _shown(rule: Object) -> Object:
    """Without what says where it is: its path does."""
    return {name: value for name, value in rule.items() if name not in ("type", qos.POLICY)}
