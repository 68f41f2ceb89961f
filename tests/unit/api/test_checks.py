"""Checks of values: what they give back, and that nothing but Invalid ever leaves them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.api import checks
from netweft.api.attributes import Attribute
from netweft.api.checks import Invalid
from netweft.api.resources import agent
from netweft.api.resources.ipam import subnet
from netweft.api.resources.l2 import network, port
from netweft.api.resources.security import security_group
from netweft.control.errors import BadRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVERY: list[tuple[str, Attribute]] = [
    (f"{number}.{name}", attribute)
    for number, attributes in enumerate(
        (network.ATTRIBUTES, subnet.ATTRIBUTES, port.ATTRIBUTES, agent.ATTRIBUTES, security_group.RULE)
    )
    for name, attribute in attributes.items()
]


@pytest.mark.parametrize("attribute", [one for _, one in EVERY], ids=[name for name, _ in EVERY])
@given(value=JSON)
@settings(max_examples=examples(30))
def test_any_value_is_taken_or_refused(attribute: Attribute, value: Any) -> None:
    try:
        taken = attribute.check(value)
    except (Invalid, BadRequest):
        return
    assert attribute.check(taken) == taken


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (checks.boolean, "True", True),
        (checks.boolean, 0, False),
        (checks.integer, "7", 7),
        (checks.mac_address, "FA-16-3E-00-00-0A", "fa:16:3e:00:00:0a"),
        (checks.ip_address, "FD00:0::1", "fd00::1"),
        (checks.cidr, "FD00:0::/64", "fd00::/64"),
        (checks.uuid_text, "5283FB864C6946D08EA043533BBEE357", "5283fb86-4c69-46d0-8ea0-43533bbee357"),
        (checks.protocol, "TCP", "tcp"),
        (checks.protocol, 6, "6"),
        (checks.protocol, "any", None),
        (checks.ethertype, "ipv6", "IPv6"),
        (checks.cidr_or_address, "10.0.0.1", "10.0.0.1/32"),
        (checks.cidr_or_address, "10.0.0.1/24", "10.0.0.1/24"),
        (checks.nameservers, None, []),
        (checks.fixed_ips, None, None),
        (checks.fixed_ips, [{"subnet_id": None, "ip_address": "10.0.0.1"}], [{"ip_address": "10.0.0.1"}]),
    ],
)
def test_values_are_kept_in_one_form(check: checks.Check, value: Any, kept: Any) -> None:
    assert check(value) == kept


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.integer, True),
        (checks.integer, 1.5),
        (checks.non_negative, -1),
        (checks.ip_address, "fe80::1%eth0"),
        (checks.ip_address, "010.0.0.1"),
        (checks.cidr, "10.0.0.0/33"),
        (checks.mac_address, "00:00:00:00:00:00"),
        (checks.one_of(4, 6), True),
        (checks.boolean, 2),
    ],
)
def test_values_that_look_almost_right(check: checks.Check, value: Any) -> None:
    with pytest.raises(Invalid):
        check(value)
