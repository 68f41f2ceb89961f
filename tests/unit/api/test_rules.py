"""The table of rules beside Neutron's."""

from tests.api.network.neutron_rules import NEUTRON
from tests.api.network.neutron_rules import OURS as OUR_ATTRIBUTES

from netweft.api import rules
from netweft.api.relations import (
    ANY,
    EXTERNAL,
    FLAGGED,
    IN_OWN_GROUP,
    ON_EXTERNAL_NETWORK,
    ON_OWN_NETWORK,
    ON_SHARED_NETWORK,
    OWN,
    SHARED,
)

WORDS = {
    OWN: "own:",
    ON_OWN_NETWORK: "net:",
    IN_OWN_GROUP: "sg:",
    SHARED: "shared",
    FLAGGED: "shared",
    EXTERNAL: "external",
    ON_SHARED_NETWORK: "net-shared",
    ON_EXTERNAL_NETWORK: "net-external",
    ANY: "",
}
VALUES = {rules.NOT_NETWORK_DEVICE.grants[0]: "no-device", rules.NOT_EVERYBODY.grants[0]: "no-wildcard"}


def word(grant: rules.Grant) -> str:
    return VALUES.get(grant) or WORDS[grant.relation] + grant.role


OURS = {f"{verb}_check" for verb in ("create", "get", "update", "delete", "run")}


def test_each_rule_is_neutrons() -> None:
    """But for those of what Neutron has not."""
    ours = {name: frozenset(map(word, rule.grants)) for name, rule in rules.RULES.items() if name not in OURS}
    assert {name: ours.pop(name) for name in OUR_ATTRIBUTES} == OUR_ATTRIBUTES
    assert {name: rule for name, rule in ours.items() if rule != NEUTRON.get(name)} == {}
    assert NEUTRON.keys() - ours.keys() == set()
