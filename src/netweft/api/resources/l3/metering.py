"""metering-labels and metering-label-rules"""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import STANDARD, flag
from netweft.control.l3.metering import (
    DESTINATION,
    LABEL,
    REMOTE,
    SOURCE,
    MeteringLabelNotFound,
    MeteringLabelRuleNotFound,
)
from netweft.control.standard import UseCases

_OWNED = {name: STANDARD[name] for name in ("id", "project_id", "tenant_id")}
_ANYTHING = checks.or_none(checks.cidr_or_address)


def _once(check: checks.Check, default: object = None) -> Attribute:
    return Attribute(check=check, parse=check, post=True, default=default, filter=True, sort=True)


LABELS = _OWNED | {
    "name": Attribute(check=checks.string(255), post=True, default="", filter=True, sort=True),
    "description": Attribute(check=checks.string(1024), post=True, default="", filter=True, sort=True),
    "shared": flag(post=True, default=False, filter=True, sort=True),
}
RULES = _OWNED | {
    LABEL: _once(checks.uuid_text, REQUIRED),
    "direction": _once(checks.one_of("ingress", "egress"), REQUIRED),
    "excluded": flag(post=True, default=False, filter=True, sort=True),
    REMOTE: _once(checks.or_none(checks.cidr)),
    SOURCE: _once(_ANYTHING),
    DESTINATION: _once(_ANYTHING),
}


def metering_label(use_cases: UseCases) -> Resource:
    return Resource(
        member="metering_label",
        collection="metering_labels",
        prefix="metering/",
        attributes=LABELS,
        use_cases=use_cases,
        not_found=MeteringLabelNotFound,
        actions=frozenset({"create", "delete"}),
    )


def metering_label_rule(use_cases: UseCases) -> Resource:
    return Resource(
        member="metering_label_rule",
        collection="metering_label_rules",
        prefix="metering/",
        attributes=RULES,
        use_cases=use_cases,
        not_found=MeteringLabelRuleNotFound,
        actions=frozenset({"create", "delete"}),
    )
