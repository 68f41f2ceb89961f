"""Who gets what is for a MAC that is no port's own, asked of fake switches: nobody who could not have that MAC."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples

from netweft.model import AddressPair, Network, Port, SubPort, Trunk
from netweft.services.fields import tagged
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

OVERLAY, VLAN, FLAT, LOCAL = network(1), network(2, "vlan"), network(3, "flat", "public"), network(4, "local")
WIRES = {VLAN.id: ("physnet1", tagged(1002)), FLAT.id: ("public", 0)}
GATEWAY, VIRTUAL, OTHER = "52:54:00:00:00:99", "00:00:5e:00:01:07", "00:00:5e:00:01:08"
FREE: dict[str, object] = {"port_security_enabled": False, "security_groups": ()}


def pairs(*macs: str) -> dict[str, object]:
    return {"allowed_address_pairs": tuple(AddressPair("10.0.0.250", address) for address in macs)}


def ping(frm: Port, to: str) -> Packet:
    return packets.ping(frm.mac_address, to, frm.fixed_ips[0].ip_address, "10.0.0.99")


def from_wire(region: Region, net: Network, to: str) -> list[str]:
    """Who gets what a machine of nobody's sends."""
    wire, vid = WIRES[net.id]
    frame = packets.ping(GATEWAY, to, "10.0.0.200", "10.0.0.99")
    return region.ids_of(region.wires[wire].carry(None, {**frame, "vlan_vid": vid}))


def stage(net: Network, here: Iterable[Port], there: Iterable[Port] = ()) -> Region:
    region = Region(nodes=2)
    region.create(net, *here, *there)
    region.plug("hv1", *here)
    region.plug("hv2", *there)
    region.settle()
    return region


@pytest.mark.parametrize("net", [OVERLAY, VLAN, FLAT, LOCAL])
def test_only_ports_that_may_have_it(net: Network) -> None:
    """A port without port security may have any MAC, one with an address pair that one."""
    me, guarded, cluster, free = port(1, net), port(2, net), port(3, net, **pairs(VIRTUAL)), port(4, net, **FREE)
    plain_pair = port(5, net, **pairs("fa:16:3e:00:00:05"))
    far, far_cluster, far_free = port(11, net), port(12, net, **pairs(VIRTUAL)), port(13, net, **FREE)
    region = stage(net, (me, guarded, cluster, free, plain_pair), (far, far_cluster, far_free))
    there = net is not LOCAL
    assert region.receivers(me, ping(me, GATEWAY)) == sorted([free.id, *([far_free.id] if there else [])])
    assert region.receivers(me, ping(me, VIRTUAL)) == sorted(
        [free.id, cluster.id, *([far_free.id, far_cluster.id] if there else [])]
    )
    everybody = [guarded.id, cluster.id, free.id, plain_pair.id]
    everybody += [far.id, far_cluster.id, far_free.id] if there else []
    for many in (BROADCAST, "01:00:5e:00:00:01", "33:33:00:00:00:01"):
        assert region.receivers(me, ping(me, many)) == sorted(everybody)


@pytest.mark.parametrize("net", [VLAN, FLAT])
def test_what_is_for_the_outside_goes_to_the_wire(net: Network) -> None:
    me, guarded = port(1, net), port(2, net)
    region = stage(net, (me, guarded), (port(11, net),))
    wire, vid = WIRES[net.id]
    assert region.receivers(me, ping(me, GATEWAY)) == []
    assert [packet["vlan_vid"] for packet in region.wires[wire].heard] == [vid], "once"


@pytest.mark.parametrize("net", [VLAN, FLAT])
def test_what_a_wire_floods(net: Network) -> None:
    guarded, cluster, free = port(1, net), port(2, net, **pairs(VIRTUAL)), port(3, net, **FREE)
    region = stage(net, (guarded, cluster, free))
    assert from_wire(region, net, "52:54:00:00:00:77") == [free.id]
    assert from_wire(region, net, VIRTUAL) == [cluster.id, free.id]
    assert from_wire(region, net, guarded.mac_address) == [guarded.id]
    assert len(region.wires[WIRES[net.id][0]].heard) == 3, "and nothing goes back"


def test_a_sub_port_is_as_any_other() -> None:
    parent, sub, me = port(1, OVERLAY), port(2, VLAN, **pairs(VIRTUAL)), port(3, VLAN)
    region = Region(nodes=2)
    region.create(OVERLAY, VLAN, parent, sub, me, Trunk(id="t", port_id=parent.id, sub_ports=(SubPort(sub.id, 102),)))
    region.plug("hv1", parent, me)
    region.settle()
    assert region.receivers(me, ping(me, GATEWAY)) == from_wire(region, VLAN, "52:54:00:00:00:77") == []
    assert region.receivers(me, ping(me, VIRTUAL)) == from_wire(region, VLAN, VIRTUAL) == [sub.id]
    assert region.receivers(sub, ping(sub, GATEWAY)) == []


def test_a_port_that_is_elsewhere_until_its_binding_is_active() -> None:
    me, mover = port(1, VLAN), port(2, VLAN, **pairs(VIRTUAL))
    region = stage(VLAN, (me,), (mover,))
    region.nodes["hv1"].plug(mover.id)
    region.ahead[mover.id] = "hv1"
    region.settle()
    assert region.ids_of(region.send(me, ping(me, VIRTUAL))) == [mover.id], "where it runs"
    assert len(region.wires["physnet1"].heard) == 1
    del region.ahead[mover.id]
    region.bound[mover.id] = "hv1"
    region.nodes["hv2"].unplug(mover.id)
    region.settle()
    assert region.receivers(me, ping(me, VIRTUAL)) == [mover.id]
    assert from_wire(region, VLAN, mover.mac_address) == [mover.id]


@pytest.mark.parametrize(
    "changed",
    [pairs(VIRTUAL), FREE, pairs(OTHER), {}],
)
def test_a_port_that_changes(changed: dict[str, object]) -> None:
    me, other = port(1, VLAN), port(2, VLAN, **pairs(OTHER))
    region = stage(VLAN, (me, other))
    assert region.receivers(me, ping(me, VIRTUAL)) == []
    region.create(replace(other, **changed))
    region.settle()
    assert region.receivers(me, ping(me, VIRTUAL)) == ([other.id] if changed in (pairs(VIRTUAL), FREE) else [])
    region.create(port(2, VLAN))
    region.settle()
    for to in (VIRTUAL, OTHER):
        assert region.receivers(me, ping(me, to)) == []


def test_a_pair_with_another_ports_mac_brings_nothing_of_that_port() -> None:
    me, owner, envious = port(1, VLAN), port(2, VLAN), port(3, VLAN, **pairs("fa:16:3e:00:00:02", "nonsense"))
    region = stage(VLAN, (me, owner, envious))
    assert region.receivers(me, ping(me, owner.mac_address)) == [owner.id]
    assert region.receivers(me, ping(me, BROADCAST)) == [owner.id], (
        "who makes no sense is not wired, nobody else suffers"
    )


def test_a_pair_with_a_group_mac_is_for_many_anyway() -> None:
    me, other, cluster = port(1, VLAN), port(2, VLAN), port(3, VLAN, **pairs("03:bf:0a:00:00:fa"))
    region = stage(VLAN, (me, other, cluster))
    assert region.receivers(me, ping(me, "03:bf:0a:00:00:fa")) == [other.id, cluster.id]


MACS = (VIRTUAL, OTHER, GATEWAY, *(f"fa:16:3e:00:00:0{number}" for number in range(1, 6)))


@settings(max_examples=examples(60))
@given(
    st.sampled_from([OVERLAY, VLAN, FLAT, LOCAL]),
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sets(st.sampled_from(MACS), max_size=3)), min_size=2, max_size=5
    ),
    st.sampled_from(MACS),
)
def test_nobody_gets_what_it_could_not_have(net: Network, kinds: list[tuple[bool, bool, set[str]]], to: str) -> None:
    """guarded, on the other node, MACs of its address pairs."""
    ports = [
        port(number, net, **(pairs(*sorted(macs)) if guarded else FREE))
        for number, (guarded, _, macs) in enumerate(kinds, 1)
    ]
    here = [one for one, (_, away, _) in zip(ports, kinds, strict=True) if not away]
    region = stage(net, here, [one for one in ports if one not in here])
    owner = next((one for one in ports if one.mac_address == to), None)
    sender = ports[0]
    for one, (guarded, _, macs) in zip(ports, kinds, strict=True):
        reachable = one is not sender and (net is not LOCAL or (one in here) == (sender in here))
        known = owner is not None and (net is not LOCAL or (owner in here) == (sender in here))
        wanted = one is owner if known else not guarded or to in macs
        assert (one.id in region.receivers(sender, ping(sender, to))) == (reachable and wanted)
