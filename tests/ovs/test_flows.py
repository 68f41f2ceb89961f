"""Every field and every action: sent to the real switch, dumped, equal; and our text is what ovs-ofctl writes."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.ovs.sandbox import Sandbox
from tests.unit.dataplane.flows import ACTIONS, OF_A_CONNECTION, matches, needed, sample

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import Rejected
from netweft.dataplane.openflow.fields import (
    ETH_IPV4,
    ETH_IPV6,
    FIELDS,
    PROTO_TCP,
    PROTO_UDP,
    Field,
    canonical,
    match,
)
from netweft.dataplane.openflow.flow import Action, Clone, Ct, DecTtl, Flow, Match, Output, SetField

MATCHABLE = [field for field in FIELDS.values() if field.matchable and not field.name.startswith("xreg")]
MASKABLE = [field for field in MATCHABLE if field.maskable]
WRITABLE = [field for field in FIELDS.values() if field.writable]


def ids(field: Field) -> str:
    return field.name


async def check(ovs: Sandbox, bridge: str, switch: OpenFlowConnection, flow: Flow) -> None:
    await switch.apply([flow])
    assert await switch.dump_flows() == [flow]
    assert [str(flow)] == ovs.dump_flows(bridge)


@pytest.mark.parametrize("field", MATCHABLE, ids=ids)
async def test_a_match_comes_back_as_it_was_sent(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, field: Field
) -> None:
    parts = needed(field) | {field.name: sample(field)}
    await check(ovs, bridge, switch, Flow(table=3, priority=7, match=match(**parts), actions=(Output(1),), cookie=0x5))


@pytest.mark.parametrize("field", MASKABLE, ids=ids)
async def test_a_masked_match_comes_back_as_it_was_sent(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, field: Field
) -> None:
    mask = 0x3 if field.name != "vlan_vid" else 0x1003
    parts: dict[str, int | tuple[int, int | None]] = dict(needed(field))
    parts[field.name] = (sample(field) & mask, mask)
    await check(ovs, bridge, switch, Flow(table=3, priority=7, match=match(**parts)))


@pytest.mark.parametrize("field", [field for field in MASKABLE if field.notation in ("ipv4", "ipv6")], ids=ids)
async def test_a_prefix_is_written_as_one(ovs: Sandbox, bridge: str, switch: OpenFlowConnection, field: Field) -> None:
    mask = field.full_mask >> 9 << 9
    parts: dict[str, int | tuple[int, int | None]] = dict(needed(field))
    parts[field.name] = (sample(field) & mask, mask)
    await check(ovs, bridge, switch, Flow(table=3, priority=7, match=match(**parts)))


@pytest.mark.parametrize(("state", "taken"), OF_A_CONNECTION)
async def test_which_packets_may_match_their_connections_original_tuple(
    switch: OpenFlowConnection, state: tuple[int, int | None] | None, taken: bool
) -> None:
    """As tests/unit/dataplane/test_fields.py has it."""
    parts = [("ct_nw_dst", 6, None), *([("ct_state", *state)] if state else []), ("eth_type", ETH_IPV4, None)]
    sent = switch.apply([Flow(table=3, priority=7, match=tuple(parts))])
    if taken:
        await sent
    else:
        with pytest.raises(Rejected):
            await sent


@pytest.mark.parametrize("field", WRITABLE, ids=ids)
async def test_a_set_field_comes_back_as_it_was_sent(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, field: Field
) -> None:
    parts = needed(field)
    if field.name.startswith("vlan"):
        parts["vlan_vid"] = 0x1001
    flow = Flow(table=3, priority=7, match=match(**parts), actions=(SetField(field.name, sample(field)),))
    await check(ovs, bridge, switch, flow)


@pytest.mark.parametrize("field", [field for field in WRITABLE if field.maskable], ids=ids)
async def test_a_masked_set_field_comes_back_as_it_was_sent(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, field: Field
) -> None:
    mask = 0x3 if field.name != "vlan_vid" else 0x1003
    action = SetField(field.name, sample(field) & mask, mask)
    parts = needed(field)
    if field.name.startswith("vlan"):
        parts["vlan_vid"] = 0x1001
    await check(ovs, bridge, switch, Flow(table=3, priority=7, match=match(**parts), actions=(action,)))


@pytest.mark.parametrize("actions", ACTIONS, ids=str)
async def test_actions_come_back_as_they_were_sent(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, actions: tuple[Action, ...]
) -> None:
    await check(ovs, bridge, switch, Flow(table=3, priority=7, match=tracked(actions), actions=actions))


def tracked(actions: tuple[Action, ...]) -> Match:
    """What Open vSwitch wants to be matched where packets are tracked, and for which helper."""
    if not any(isinstance(action, Ct | Clone) for action in actions):
        return ()
    tracks = [action for action in actions if isinstance(action, Ct)]
    helpers = [action.alg for action in tracks if action.alg]
    protocol = {"ip_proto": {"ftp": PROTO_TCP, "tftp": PROTO_UDP}[helpers[0]]} if helpers else {}
    ipv6 = any(action.nat is not None and action.nat.version == 6 for action in tracks)
    return match(eth_type=ETH_IPV6 if ipv6 else ETH_IPV4, **protocol)


async def test_a_wide_register_in_a_match_is_two_registers(switch: OpenFlowConnection) -> None:
    flow = Flow(table=0, priority=1, match=match(xreg1=(5, 0xFF)))
    assert flow.match == match(reg3=(5, 0xFF))
    await switch.apply([flow])
    assert await switch.dump_flows() == [flow]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_match_comes_back_as_it_was_sent(ovs: Sandbox, bridge: str, data: st.DataObject) -> None:
    wanted = canonical(data.draw(matches()))

    async def ask() -> list[Flow]:
        connection = await OpenFlowConnection.connect(ovs.mgmt(bridge))
        try:
            await connection.apply([Flow(table=0, priority=1, match=wanted)])
            flows = await connection.dump_flows()
            await connection.apply([], [flow.key for flow in flows])
            assert await connection.dump_flows() == []
            return flows
        finally:
            await connection.close()

    assert [flow.match for flow in asyncio.run(ask())] == [wanted]


@pytest.mark.parametrize("eth_type", [ETH_IPV4, ETH_IPV6])
async def test_a_ttl_is_counted_down_where_there_is_one(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, eth_type: int
) -> None:
    flow = Flow(table=3, priority=7, match=match(eth_type=eth_type), actions=(DecTtl(), Output(1)))
    await check(ovs, bridge, switch, flow)
