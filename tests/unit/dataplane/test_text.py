"""Flows as people read them.  That it is ovs-ofctl's syntax is shown on the real switch (tests/ovs/test_flows.py)."""

from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Flow, Goto, Output, PopVlan, Resubmit, SetField
from netweft.dataplane.openflow.text import format_flow

FLOW = Flow(
    table=3,
    priority=100,
    cookie=0xAB,
    match=match(in_port=5, eth_type=0x0800, ip_proto=6, ipv4_src=(0x0A000000, 0xFFFFFF00), tcp_dst=80, vlan_vid=0x1005),
    actions=(PopVlan(), SetField("reg0", 7), Resubmit(4), Output(0xFFFFFFF8), Goto(9)),
)


def test_a_flow_reads_as_ovs_ofctl_writes_it() -> None:
    assert str(FLOW) == (
        "cookie=0xab, table=3, priority=100,tcp,in_port=5,dl_vlan=5,nw_src=10.0.0.0/24,tp_dst=80"
        " actions=pop_vlan,set_field:0x7->reg0,resubmit(,4),IN_PORT,goto_table:9"
    )


def test_tables_have_names_where_they_are_known() -> None:
    text = format_flow(FLOW, {3: "classify", 9: "output"})
    assert "table=classify," in text
    assert text.endswith("resubmit(,4),IN_PORT,goto_table:output")


def test_nothing_is_drop() -> None:
    assert str(Flow(table=0, priority=32768)) == "actions=drop"
