"""/v2.0/fwaas/firewall_policies/ID/insert_rule, remove_rule."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks
from netweft.api.attributes import Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import check_named
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.fwaas import policies
from netweft.control.fwaas.errors import FirewallRuleInfoMissing, FirewallRuleNotFound
from netweft.control.fwaas.rules import RULES
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

_RULE, _BEFORE, _AFTER = "firewall_rule_id", "insert_before", "insert_after"


class RuleActions:
    def __init__(self, policy: Resource, store: Store) -> None:
        self._path = f"/v2.0/{policy.path}/{{id}}"
        self._service = Service(policy, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [
            Route(f"{self._path}/insert_rule", gate(self.insert), methods=["PUT"]),
            Route(f"{self._path}/remove_rule", gate(self.remove), methods=["PUT"]),
        ]

    async def insert(self, request: Request, context: Context) -> Response:
        wanted = _given(await request.body(), (_RULE, _BEFORE, _AFTER))

        def insert(tx: WriteTransaction, policy: Object) -> None:
            check_named(tx, context, [{RULES: [wanted[_RULE]]}])
            policies.insert_rule(tx, policy, wanted[_RULE], wanted.get(_BEFORE), wanted.get(_AFTER))

        return await self._act(request, context, "insert_rule", insert, wanted)

    async def remove(self, request: Request, context: Context) -> Response:
        wanted = _given(await request.body(), (_RULE,))

        def remove(tx: WriteTransaction, policy: Object) -> None:
            check_named(tx, context, [{RULES: [wanted[_RULE]]}])
            policies.remove_rule(tx, policy, wanted[_RULE])

        return await self._act(request, context, "remove_rule", remove, wanted)

    async def _act(
        self,
        request: Request,
        context: Context,
        rule: str,
        action: Callable[[WriteTransaction, Object], None],
        wanted: Mapping[str, str],
    ) -> Response:
        """The answer is the policy, with nothing around it, as Neutron's."""
        id, naming = request.path_params["id"], {RULES: [wanted[_RULE]]}
        return json_response(await self._run.write(self._service.act, context, id, rule, action, naming))


def _given(data: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """An empty text is as good as none, as clients send it."""
    parsed = body.parse(data)
    if not parsed.get(_RULE):
        raise FirewallRuleInfoMissing()
    unknown = sorted(parsed.keys() - set(names))
    if unknown:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    return {name: _id(name, value) for name, value in parsed.items() if value}


def _id(name: str, value: Any) -> str:
    try:
        return checks.uuid_text(value)
    except Invalid as invalid:
        if name == _RULE:
            raise FirewallRuleNotFound(id=value) from None
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None
