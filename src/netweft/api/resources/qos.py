"""policies, the rules that are part of them, and the rule types: what of each there is, and with which values"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import READ_ONLY, STANDARD, flag
from netweft.control.qos import QosPolicyNotFound
from netweft.control.standard import UseCases
from netweft.store import Object

ATTRIBUTES = STANDARD | {
    "shared": flag(post=True, put=True, default=False, filter=True),
    "is_default": flag(post=True, put=True, default=False, filter=True),
    "rules": Attribute(check=READ_ONLY),
}


class RuleType(NamedTuple):
    """attributes: what a rule says.  values: what each may be: a first and a last number, or all the words."""

    type: str
    attributes: Mapping[str, Attribute]
    values: Mapping[str, range | Sequence[Any]]

    @property
    def member(self) -> str:
        return f"{self.type}_rule"

    @property
    def collection(self) -> str:
        return f"{self.type}_rules"

    @property
    def computed(self) -> frozenset[str]:
        return frozenset()

    def details(self) -> list[Object]:
        return [{"parameter_name": name} | _possible(values) for name, values in self.values.items()]


def _possible(values: range | Sequence[Any]) -> Object:
    if isinstance(values, range):
        return {"parameter_type": "range", "parameter_values": {"start": values[0], "end": values[-1]}}
    return {"parameter_type": "choices", "parameter_values": list(values)}


def _rule_type(type: str, defaults: Mapping[str, Any], **values: range | Sequence[Any]) -> RuleType:
    """defaults: of what need not be said."""
    said = {name: _said(possible, defaults.get(name, REQUIRED)) for name, possible in values.items()}
    return RuleType(type, {"id": STANDARD["id"], **said}, values)


def _said(values: range | Sequence[Any], default: Any) -> Attribute:
    check, parse = (checks.one_of(*values), str) if isinstance(values[0], str) else (_number(values), checks.integer)
    return Attribute(check=check, parse=parse, post=True, put=True, default=default, filter=True, sort=True)


def _number(values: range | Sequence[Any]) -> checks.Check:
    if isinstance(values, range):
        return checks.between(values[0], values[-1])
    return lambda value: checks.one_of(*values)(checks.integer(value))


_ANY, _BOTH = range(2**31), ("egress", "ingress")
_MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56)
RULE_TYPES = {
    known.type: known
    for known in (
        _rule_type(
            "bandwidth_limit",
            {"max_burst_kbps": 0, "direction": "egress"},
            max_kbps=_ANY,
            max_burst_kbps=_ANY,
            direction=_BOTH,
        ),
        _rule_type("dscp_marking", {}, dscp_mark=_MARKS),
        _rule_type("minimum_bandwidth", {"direction": "egress"}, min_kbps=_ANY, direction=("egress",)),
        _rule_type(
            "packet_rate_limit",
            {"max_burst_kpps": 0, "direction": "egress"},
            max_kpps=_ANY,
            max_burst_kpps=_ANY,
            direction=_BOTH,
        ),
    )
}

NOT_SUPPORTED = ("minimum_packet_rate",)  # what Neutron has besides


def policy(use_cases: UseCases) -> Resource:
    return Resource(
        member="policy",
        collection="policies",
        prefix="qos/",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=QosPolicyNotFound,
        shared_as=("id", "policies"),
    )
