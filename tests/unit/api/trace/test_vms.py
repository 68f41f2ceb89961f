"""What a VM sends, and what is said of how it is set up: each fault first, of a healthy one nothing, and nobody else is
blamed for it whatever it forges."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.api.trace.faults import GATEWAY, IN_VMS, OLD, VM1, InVm, asks, has, sends
from tests.unit.control.trace.faults import HEALTHY, ONE, THREE, A, B, C, all_rows, snapshot, ways

from netweft.api.resources.trace import response, vms
from netweft.api.resources.trace.vms import Vm
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Snapshot, Told
from netweft.control.trace.codes import UNDERLAY
from netweft.findings import Code
from netweft.wire.queries import Answer, Heard


def place(on: str) -> tuple[Snapshot, list[Vm]]:
    frm, packet, target, _ = HEALTHY[on]
    rows = all_rows()
    there, back = ways(rows, frm, packet, target)
    return snapshot(rows), list(vms.ends(snapshot(rows), there, back, rows["ports"][frm]))


def said(seen: Snapshot, vm: Vm, *heard: Heard, arrived: bool | None = True, dropped: int = 0) -> list[Finding]:
    answer = Answer(id="", heard=heard, dropped=dropped)
    ports = [one for one in seen.all("ports") if one["network_id"] == vm.port["network_id"]]
    known = {fixed["ip_address"]: port["mac_address"] for port in ports for fixed in port["fixed_ips"]}
    return list(vms.compared(seen, vm, "hv1", answer, known, arrived=arrived))


@pytest.mark.parametrize("fault", IN_VMS, ids=lambda fault: fault.what)
def test_each_fault_is_named_first(fault: InVm) -> None:
    seen, at_ends = place(fault.on)
    vm = at_ends[1 if fault.far else 0]
    found = said(seen, vm, *fault.heard, dropped=fault.dropped)
    assert [one.code.code for one in found] == [fault.code]
    assert found[0].row == vm.port
    assert "{" not in found[0].fix


@pytest.mark.parametrize("on", ["one network", "two networks", "ping", "by an extra route", "outside, by SNAT"])
def test_of_a_healthy_one_nothing(on: str) -> None:
    seen, at_ends = place(on)
    for vm in at_ends:
        mac, own = vm.port["mac_address"], vm.packet.dst
        answers = (has(own, mac), sends(vm.way.mac, mac, own))
        assert said(seen, vm, *answers) == []
        assert said(seen, vm, *answers, asks("10.0.1.77"), asks(B), sends(OLD, mac, own)) == [], "and asks for others"
        assert said(seen, vm, has(own, mac), asks(vm.way.via)) == [], "it has only asked yet"
        assert said(seen, vm, asks(vm.way.via), asks("10.0.1.77")) == []


def test_what_was_not_received_is_not_shown() -> None:
    seen, (sender, receiver) = place("two networks")
    assert list(vms.compared(seen, sender, "hv1", Answer(id="", heard=None), {}, arrived=True)) == []
    for arrived in (False, None):
        assert said(seen, receiver, arrived=arrived) == [], "it got nothing to answer"
    for other in ("192.168.7.1", B):
        found = said(seen, sender, has(A), asks(other))
        assert [one.code.code for one in found] == ["vm-silent"], "it may look for others for another reason"


def test_queries_and_their_nodes() -> None:
    """The sender's VM gets what the far end would send; the receiver's gets nothing more than the probe."""
    _, (sender, receiver) = place("two networks")
    host, question = vms.question(sender)
    assert (host, question.port_id) == (sender.port["binding:host_id"], ONE)
    assert question.packet is not None
    assert question.listen is not None
    assert (question.packet.eth_dst, question.packet.src, question.packet.dst) == (VM1, C, A)
    assert (question.packet.eth_src, question.listen.sends) == (GATEWAY, True)
    _, question = vms.question(receiver)
    assert question.listen is not None
    assert (question.port_id, question.listen.sends, question.listen.mark) == (THREE, False, "")


def test_an_address_that_others_have_too_is_not_judged() -> None:
    """As VRRP's: whose MAC is the right one, nobody knows."""
    rows = all_rows()
    frm, packet, target, _ = HEALTHY["one network"]
    pair = {"ip_address": B, "mac_address": "00:00:5e:00:01:01"}
    rows["ports"][target] |= {"fixed_ips": [], "allowed_address_pairs": [pair]}
    there, back = ways(rows, frm, packet)
    assert [vm.port["id"] for vm in vms.ends(snapshot(rows), there, back, rows["ports"][frm])] == []


addresses = st.sampled_from([A, B, C, "10.0.1.1", "10.0.1.254", "198.51.100.1", "0.0.0.0", "nobody", ""])
macs = st.sampled_from(
    [VM1, GATEWAY, OLD, "fa:16:3e:00:00:02", "fa:16:3e:00:00:03", "ff:ff:ff:ff:ff:ff", "", "$(reboot)"]
)
kinds: Any = st.sampled_from(["asks", "has", "sends", "claims"])
frames = st.builds(Heard, kind=kinds, address=addresses, mac=macs, to=macs, partial=st.booleans())


@given(st.lists(frames, max_size=8), st.sampled_from(["one network", "two networks", "outside, by SNAT"]))
def test_whatever_it_sends_only_its_own_port_is_blamed(heard: list[Heard], on: str) -> None:
    seen, at_ends = place(on)
    for vm in at_ends:
        others = {one["id"] for one in seen.all("ports")} - {vm.port["id"]}
        for one in said(seen, vm, *heard):
            assert one.row == vm.port
            assert not any(id in one.fix + one.told.detail for id in others)
            assert one.told.about == ()


@pytest.mark.parametrize("code", UNDERLAY, ids=lambda code: code.code)
def test_what_is_between_hosts_is_one_code_to_who_sees_none(code: Code) -> None:
    """By the single ones a tenant would know which of their ports are on one host, and how hosts are joined."""
    values = dict.fromkeys(
        ("host", "hosts", "interface", "mtu", "far", "vlan", "payload", "bytes", "address"), "secret"
    )
    found = Finding("ports", {"id": "p", "name": "web"}, Told(code, "secret", values))
    said = {
        sees: response.finding({"ports": "port"}, found, layer="probe", direction="forward", sees_nodes=sees)
        for sees in (True, False)
    }
    assert (said[True]["code"], said[False]["code"]) == (code.code, "underlay-fault")
    assert "secret" not in str(said[False]) and code.meaning not in str(said[False])


OF_ITS_OWN: list[tuple[str, int, tuple[Heard, ...], list[str]]] = [
    ("two networks", 0, (asks(C),), ["vm-wrong-mask"]),
    ("one network", 0, (sends(GATEWAY),), ["vm-wrong-mask"]),
    ("two networks", 0, (sends(OLD),), ["vm-wrong-neighbour"]),
    ("two networks", 0, (sends(OLD), sends(GATEWAY)), []),  # it has been mended
    ("two networks", 0, (sends(GATEWAY), asks(C)), []),
    ("two networks", 0, (asks("10.0.1.77"), asks("10.0.1.254")), []),  # for something else, perhaps
    ("one network", 0, (asks(B), asks("10.0.1.77")), []),
    ("two networks", 0, (), []),
    ("two networks", 0, (Heard(kind="sends", address="nonsense", mac="x", to="y"),), []),
    ("two networks", 1, (), []),
]


@pytest.mark.parametrize(("on", "end", "heard", "wanted"), OF_ITS_OWN)
def test_by_what_it_has_sent_of_its_own_accord(on: str, end: int, heard: tuple[Heard, ...], wanted: list[str]) -> None:
    """No packet is sent to it: what it is silent about says nothing."""
    seen, at_ends = place(on)
    found = list(vms.remembered(seen, at_ends[end], Answer(id="", heard=heard)))
    assert [one.code.code for one in found] == wanted
    assert all(one.row == at_ends[end].port and "{" not in one.fix for one in found)
    assert list(vms.remembered(seen, at_ends[end], Answer(id="", heard=None))) == []
