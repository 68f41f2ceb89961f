"""The record of a table is a promise: flows that break it are refused, and real flows are what a switch takes."""

import pytest

from netweft.dataplane.openflow.fields import canonical
from netweft.dataplane.openflow.flow import Action, Ct, Goto, Move, Output, PushVlan, SetField
from netweft.services.fields import OURS, OURS_MASK, Owner, Reason, cookie, owner
from netweft.services.pipeline import INT, PIPELINES, TUN, Pipeline, PipelineError, Table
from netweft.services.tables import fields
from netweft.testing.region import Region, network, port


def test_flows_that_differ_in_one_field_are_as_each_by_itself() -> None:
    """And are checked."""
    table, match = INT["members"], {"reg3": 7, "eth_type": 0x800}
    given = [(1, (INT["to_member"].goto,)), (2, (INT["hairpin"].goto,)), (1, (INT["to_member"].goto,))]
    alone = [
        table.flow(10, whose, {**match, "reg12": (value, 3)}, *actions) for value, (whose, actions) in enumerate(given)
    ]
    assert list(table.flows(10, match, "reg12", 3, given)) == alone
    with pytest.raises(PipelineError, match="may not set reg1"):
        list(table.flows(10, match, "reg12", 3, [*given, (3, (SetField("reg1", 1),))]))


def test_ids_are_places_in_the_list() -> None:
    for pipeline in PIPELINES.values():
        assert [table.id for table in pipeline.tables.values()] == list(range(len(pipeline.tables)))


def test_a_match_that_is_not_promised() -> None:
    with pytest.raises(PipelineError, match=r"int\.classify: may not match eth_src"):
        INT["classify"].flow(1, 0, {"in_port": 1, "eth_src": 5})


@pytest.mark.parametrize(
    "action",
    [SetField("eth_src", 1), Goto(0), INT["deliver"].goto, INT["deliver"].resubmit, Output(1)],
)
def test_an_action_that_is_not_promised(action: SetField | Goto | Output) -> None:
    with pytest.raises(PipelineError, match=r"int\.source_mac: may not"):
        INT["source_mac"].flow(1, 0, {}, action)


def test_only_ip_goes_to_conntrack() -> None:
    """Open vSwitch refuses the flow else, and with it all of its bundle."""
    table, track = INT["egress"], Ct(zone=1, table=INT["egress_state"].id)
    with pytest.raises(PipelineError, match="neither IPv4 nor IPv6"):
        table.flow(1, 0, {"eth_type": 0x0806}, track)
    table.flow(1, 0, {"eth_type": 0x86DD}, track)


def test_tags_only_where_promised() -> None:
    with pytest.raises(PipelineError, match="VLAN tag"):
        INT["switching"].flow(1, 0, {}, PushVlan())
    TUN["from_overlay"].flow(1, 0, {}, PushVlan())


@pytest.mark.parametrize(
    ("inside", "actions"),
    [
        ({"nd_target": 1}, ()),
        ({}, (Move("nd_sll", "reg7", bits=32),)),
    ],
)
def test_neighbour_discovery_is_looked_into_only_with_its_code(
    inside: dict[str, int], actions: tuple[Action, ...]
) -> None:
    """The kernel's datapath gets no mask of the rest of it else (docs/datapaths.md)."""
    table = INT["neighbour_claims"]
    with pytest.raises(PipelineError, match="icmpv6_code"):
        table.flow(1, 0, {"icmpv6_type": 136, **inside}, *actions)
    table.flow(1, 0, {"icmpv6_type": 136, "icmpv6_code": 0, **inside}, *actions)


@pytest.mark.parametrize("onward", [{"next": ("a",)}, {"next": ("nowhere",)}, {"miss": "a"}])
def test_no_way_up_or_into_nowhere(onward: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(PipelineError, match="not further down"):
        Pipeline.of("x", "", Table("a", "", fields()), Table("b", "", fields(), **onward))  # type: ignore[arg-type]


def test_a_cookie_leads_back() -> None:
    assert owner(cookie(Reason.PORT_SECURITY, "0123abcd-4567-89ab-cdef-0123456789ab")) == Owner(
        Reason.PORT_SECURITY, "0123abcd45"
    )
    assert owner(cookie(Reason.PIPELINE)) == Owner(Reason.PIPELINE, "0" * 10)
    assert owner(0x1234) is None
    assert owner(OURS | 0xFE << 40) == Owner(None, "0" * 10), "made by a newer agent, still ours"
    named = cookie(Reason.PEER_TUNNEL, "not-a-uuid")
    assert named == cookie(Reason.PEER_TUNNEL, "not-a-uuid") != cookie(Reason.PEER_TUNNEL, "another")
    assert named & OURS_MASK == OURS


def test_reasons_tell_the_kind_of_their_object() -> None:
    kinds = {"", "port", "peer", "network", "rule", "group", "address", "router", "forwarding", "floating", "metering"}
    kinds |= {"balancer", "listener", "pool", "member", "firewall"}
    assert {reason.kind for reason in Reason} == kinds


def test_flows_are_in_the_form_that_the_switch_reports_and_marked() -> None:
    """Otherwise the agent would see a difference for ever."""
    net, local = network(1), network(2, "local")
    near, far, alone = port(1, net, "10.0.0.1", "2001:db8::1"), port(2, net, "10.0.0.2", "2001:db8::2"), port(3, local)
    region = Region()
    region.create(net, local, near, far, alone)
    region.plug("hv1", near, alone)
    region.plug("hv2", far)
    region.settle()
    flows = [flow for bridge in region.nodes["hv1"].bridges.values() for flow in bridge.flows.values()]
    assert len(flows) > 40
    for flow in flows:
        assert canonical(flow.match) == flow.match
        assert owner(flow.cookie) is not None
