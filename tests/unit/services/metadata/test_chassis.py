"""On a chassis of OVN's: who asks is known by network and MAC, and nobody else is let through."""

from netweft.dataplane.openflow.flow import Output, SetField
from netweft.dataplane.ovsdb.rows import PortRow, VifRow
from netweft.services.addresses import mac
from netweft.services.fields import IN_PORT, OUT_PORT
from netweft.services.metadata import chassis
from netweft.services.metadata.chassis import META, Requester

BLUE, RED = "b1b1b1b1-0000-4000-8000-000000000001", "4ed4ed4e-0000-4000-8000-000000000002"
MAC = "fa:16:3e:00:00:01"
TWINS = (Requester(7, "one", BLUE, MAC), Requester(8, "two", RED, MAC))


def of(table: str, *requesters: Requester) -> list[tuple[dict[str, int], tuple[object, ...]]]:
    """What its flows match, and do, but for the miss."""
    flows = (one.flow for one in chassis.flows(requesters, {BLUE: 3, RED: 4}, 1))
    at = META[table].id
    return [({name: value for name, value, _ in f.match}, f.actions) for f in flows if f.table == at and f.priority]


def test_twins_are_told_apart_by_their_networks() -> None:
    found = of("classify", *TWINS)
    onward = META["requests"].goto
    assert ({"eth_src": mac(MAC), "in_port": 3}, (SetField(IN_PORT, 7), onward)) in found
    assert ({"eth_src": mac(MAC), "in_port": 4}, (SetField(IN_PORT, 8), onward)) in found
    assert of("deliver", *TWINS) == [({OUT_PORT: 7}, (Output(3),)), ({OUT_PORT: 8}, (Output(4),))]


def test_who_is_unknown_comes_no_further() -> None:
    assert [match for match, _ in of("classify")] == [{"in_port": 1}]
    assert of("deliver") == []


def test_one_whose_network_has_no_patch_yet_waits() -> None:
    assert of("deliver", Requester(9, "three", "another", MAC)) == []


def test_a_patch_of_each_network_is_what_ovn_takes_for_its_localport() -> None:
    ports = [row for row in chassis.rows([BLUE, RED], "br-int", "netdev") if isinstance(row, PortRow)]
    near = [row for row in ports if isinstance(row, VifRow)]
    assert {row.bridge for row in near} == {"br-int"}
    assert [row.interface_ids for row in near] == [(("iface-id", f"ovnmeta-{id}"),) for id in (BLUE, RED)]
    assert {dict(row.options)["peer"] for row in near} == {chassis.patch(BLUE), chassis.patch(RED)}
