"""What ends when one view follows another; nonsense in it stops nobody."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import (
    AddressPair,
    FixedIp,
    FloatingIp,
    Key,
    NodeView,
    Object,
    Peer,
    Port,
    PortForwarding,
    RouterPort,
    Subnet,
    key_of,
    view_of,
)
from netweft.services.addresses import Prefix, prefix, text, within
from netweft.services.security.endings import Ended, chosen, ended

MACS = [f"fa:16:3e:00:00:0{n}" for n in range(1, 4)]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"]
PAIRS = [*ADDRESSES[:2], "10.0.0.0/30", "0.0.0.0/0"]


def port(n: int, fixed: tuple[str, ...] = (), pairs: tuple[str, ...] = ()) -> Port:
    return Port(
        id=f"p{n}",
        network_id="n",
        mac_address=MACS[n],
        fixed_ips=tuple(FixedIp("s", address) for address in fixed),
        allowed_address_pairs=tuple(AddressPair(pair, MACS[n]) for pair in pairs),
        host_id="here",
    )


def peer(of: Port) -> Peer:
    addresses = tuple(fixed.ip_address for fixed in of.fixed_ips)
    return Peer(
        id=of.id,
        network_id=of.network_id,
        mac_address=of.mac_address,
        ip_addresses=addresses,
        allowed_address_pairs=of.allowed_address_pairs,
        host_id="there",
    )


def view(*objects: Object) -> NodeView:
    return view_of("h", 1, objects)


def keys(*views: NodeView) -> set[Key]:
    return {key_of(obj) for each in views for obj in each.objects()}


def over(before: NodeView, after: NodeView) -> frozenset[Ended]:
    return ended(before, after, keys(before, after))


WHOLE = port(0, ("10.0.0.1", "fd00::1"), ("10.0.0.2",))


@pytest.mark.parametrize("form", [lambda one: one, peer])
def test_with_its_port_each_of_its_addresses_goes(form: Callable[[Port], Object]) -> None:
    gone = {end.address for end in over(view(form(WHOLE)), view())}
    assert gone == {"10.0.0.1", "fd00::1", "10.0.0.2", "fe80::f816:3eff:fe00:1"}


def test_of_one_that_has_moved_what_is_between_others() -> None:
    assert over(view(WHOLE), view(peer(WHOLE))) == {Ended("n")}
    assert over(view(peer(WHOLE)), view(WHOLE)) == frozenset()


def router_port(n: int, router: str, network_id: str) -> RouterPort:
    return RouterPort(id=f"rp{n}", network_id=network_id, mac_address=MACS[0], router_id=router)


def test_behind_routers_its_addresses_go_too() -> None:
    """In a chain; its link-local address is nobody's there."""
    chain = [router_port(1, "r1", "n"), router_port(2, "r1", "m"), router_port(3, "r2", "m"), router_port(4, "r2", "l")]
    others = [router_port(5, "r3", "x"), router_port(6, "r3", "y")]
    gone = over(view(port(0, ("10.0.0.1", "fd00::1")), *chain, *others), view(*chain, *others))
    for address in ("10.0.0.1", "fd00::1"):
        assert {end.network_id for end in gone if end.address == address} == {"n", "m", "l"}
    assert {end.network_id for end in gone if end.address.startswith("fe80")} == {"n"}


def test_what_is_between_networks_that_no_router_joins_any_more() -> None:
    """While none does, an address of one may become another port's unheard of by the other."""
    subnets = [Subnet(id=f"s{one}", network_id=one, ip_version=4, cidr=f"10.{n}.0.0/24") for n, one in enumerate("nml")]
    joined = [router_port(1, "r1", "n"), router_port(2, "r1", "m"), router_port(3, "r1", "l")]
    without = over(view(*subnets, *joined), view(*subnets, *joined[1:]))
    assert without == {
        *(Ended("n", f"10.{number}.0.0/24") for number in (1, 2)),
        *(Ended(other, "10.0.0.0/24") for other in "ml"),
    }
    by_another = [router_port(4, "r2", "n"), router_port(5, "r2", "l")]
    assert over(view(*subnets, *joined, *by_another), view(*subnets, *joined[1:], *by_another)) == frozenset()


def floating_ip(to: str) -> FloatingIp:
    return FloatingIp(
        id="f", router_id="r", floating_network_id="e", floating_ip_address="203.0.113.9", fixed_ip_address=to,
        port_id="p0",
    )  # fmt: skip


def forwarding(first: int) -> PortForwarding:
    return PortForwarding(
        id="f", floating_network_id="e", floating_ip_address="203.0.113.9", internal_ip_address="10.0.0.1", protocol=17,
        external_first=first, external_last=first, internal_first=first, internal_last=first, router_id="r",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("was", "now", "ends"),
    [
        (floating_ip("10.0.0.1"), None, {"asked", "at another port", "ping"}),
        (floating_ip("10.0.0.1"), floating_ip("10.0.0.2"), {"asked", "at another port", "ping"}),
        (floating_ip("10.0.0.1"), replace(floating_ip("10.0.0.1"), led=2, qos_policy_id="q"), set()),
        (forwarding(53), None, {"asked"}),
        (forwarding(53), replace(forwarding(53), external_last=54), {"asked"}),
        (None, floating_ip("10.0.0.1"), set()),
    ],
)
def test_what_was_asked_from_outside_ends_with_what_led_to_it(
    was: Object | None, now: Object | None, ends: set[str]
) -> None:
    stays: list[Object] = [
        port(0, ("10.0.0.1",)),
        port(1, ("10.0.0.2",)),
        router_port(0, "r", "n"),
        router_port(1, "r", "m"),
    ]
    for net, cidr in (("n", "10.0.0.0/24"), ("m", "10.0.1.0/24")):
        stays.append(Subnet(id=net, network_id=net, ip_version=4, cidr=cidr))
    before, after = (view(*stays, *([one] if one else [])) for one in (was, now))
    found = over(before, after)
    tracked = {
        "asked": Connection(zone=1, protocol=17, src="192.0.2.1", dst="10.0.0.1", sport=9, dport=53),
        "at another port": Connection(zone=1, protocol=17, src="192.0.2.1", dst="10.0.0.1", sport=9, dport=54),
        "ping": Connection(zone=1, protocol=1, src="192.0.2.1", dst="10.0.0.1", icmp=(1, 8, 0)),
        "its own": Connection(zone=1, protocol=17, src="10.0.0.1", dst="192.0.2.1", sport=53, dport=9),
        "from inside": Connection(zone=1, protocol=17, src="10.0.1.7", dst="10.0.0.1", sport=9, dport=53),
        "another's": Connection(zone=1, protocol=17, src="192.0.2.1", dst="10.0.0.2", sport=9, dport=53),
    }
    over_now = list(chosen(tracked.values(), {1: list(found)}, {}))
    assert {what for what, one in tracked.items() if one in over_now} == ends


def test_nonsense_stops_nobody() -> None:
    odd = replace(WHOLE, mac_address=None, fixed_ips=(FixedIp("s", "ten"), FixedIp("s", "10.0.0.9")))
    assert {end.address for end in over(view(odd), view())} == {"10.0.0.9", "10.0.0.2", "fe80::f816:3eff:fe00:1"}


ports = st.builds(
    lambda fixed, pairs, here: (fixed, pairs, here),
    st.sets(st.sampled_from(ADDRESSES)),
    st.sets(st.sampled_from(PAIRS)),
    st.sampled_from(["here", "there", "nowhere"]),
)


def views(drawn: list[tuple[set[str], set[str], str]]) -> NodeView:
    """An address is fixed to one port only."""
    objects: list[Object] = []
    taken: set[str] = set()
    for n, (fixed, pairs, where) in enumerate(drawn):
        made = port(n, tuple(sorted(fixed - taken)), tuple(sorted(pairs)))
        if where != "nowhere":
            taken |= fixed
            objects.append(made if where == "here" else peer(made))
    return view(*objects)


def fixed_of(view: NodeView) -> dict[str, str]:
    found = {fixed.ip_address: one.id for one in view.ports.values() for fixed in one.fixed_ips}
    return found | {address: one.id for one in view.peers.values() for address in one.ip_addresses}


@given(st.lists(ports, min_size=3, max_size=3), st.lists(ports, min_size=3, max_size=3))
def test_an_address_that_changes_hands_takes_nothing_along(
    before: list[tuple[set[str], set[str], str]], after: list[tuple[set[str], set[str], str]]
) -> None:
    was, now = views(before), views(after)
    ends = over(was, now)
    owners, later = fixed_of(was), fixed_of(now)
    connection = Connection(zone=1, src="10.0.0.1", dst="192.0.2.1", sport=1, dport=2)
    picked = list(chosen([connection], {1: sorted(ends, key=str)}, {1: now.ports.values()}))
    owner = owners.get("10.0.0.1")
    if owner and later.get("10.0.0.1") not in (None, owner):
        follows = now.ports.get(owner) or now.peers.get(owner)
        if follows is None or "10.0.0.1" not in {pair.ip_address for pair in follows.allowed_address_pairs}:
            assert picked == [connection]
    if was == now:
        assert ends == frozenset()


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_range_is_written_as_it_is_read(value: int, length: int) -> None:
    mask = (2**32 - 1) ^ ((1 << (32 - length)) - 1)
    one = Prefix(4, value & mask, None if length == 32 else mask)
    assert prefix(text(one)) == one
    assert within(one, one)
    assert within(Prefix(4, value, None), one)
    assert not within(one, Prefix(6, value & mask, None))
