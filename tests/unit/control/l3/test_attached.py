"""Which subnets a router may be attached to together: as the arithmetic of prefixes says, whatever the order."""

from ipaddress import ip_network
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netweft.control.l3 import routes
from netweft.control.l3.attached import refuse_overlap
from netweft.control.l3.errors import BadRouterRequest, InvalidRoutes
from netweft.control.l3.owners import INTERFACE
from netweft.store import Object


class Subnets:
    """As much of a transaction as is asked for."""

    def __init__(self, cidrs: list[str]) -> None:
        self.glance = self
        self.subnets = {str(at): _subnet(str(at), cidr) for at, cidr in enumerate(cidrs)}

    def get_many(self, kind: str, ids: Any) -> dict[str, Object]:
        assert kind == "subnets"
        return {id: self.subnets[id] for id in ids}


def _subnet(id: str, cidr: str) -> Object:
    return {"id": id, "cidr": cidr, "ip_version": ip_network(cidr).version}


def _port(subnet: Object) -> Object:
    return {"device_owner": INTERFACE, "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "192.0.2.1"}]}


cidrs = st.one_of(
    st.tuples(st.integers(0, 255), st.integers(14, 30)).map(
        lambda drawn: str(ip_network((0x0A000000 + (drawn[0] << 16), drawn[1]), strict=False))
    ),
    st.tuples(st.integers(0, 7), st.integers(44, 64)).map(
        lambda drawn: str(ip_network(((0xFD00 << 112) + (drawn[0] << 72), drawn[1]), strict=False))
    ),
)


@given(st.lists(cidrs, max_size=8))
def test_no_two_overlap(drawn: list[str]) -> None:
    tx = Subnets(drawn)
    attached: list[Object] = []
    for subnet in tx.subnets.values():
        others = [ip_network(tx.subnets[port["fixed_ips"][0]["subnet_id"]]["cidr"]) for port in attached]
        prefix = ip_network(subnet["cidr"])
        clash = any(prefix.version == other.version and prefix.overlaps(other) for other in others)
        try:
            refuse_overlap(tx, attached, [subnet])  # type: ignore[arg-type]
        except BadRouterRequest:
            assert clash
        else:
            assert not clash
            attached.append(_port(subnet))
    prefixes = [ip_network(tx.subnets[port["fixed_ips"][0]["subnet_id"]]["cidr"]) for port in attached]
    assert not any(a.version == b.version and a.overlaps(b) for a, b in combinations(prefixes, 2))


route = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")).map(
    lambda drawn: {"destination": drawn[0], "nexthop": drawn[1]}
)


@given(st.lists(route, unique_by=str), st.lists(route))
def test_added_and_taken_away(there: list[Object], some: list[Object]) -> None:
    added = routes.added(there, some)
    assert added[: len(there)] == there
    assert {str(one) for one in added} == {str(one) for one in [*there, *some]}
    assert len(added) == len({str(one) for one in added})
    left = routes.without(there, some)
    assert [one for one in there if one not in some] == left
    assert routes.added(left, [one for one in there if one in some]) == sorted(
        there, key=lambda one: (one not in left, there.index(one))
    )


@given(st.lists(cidrs, max_size=4), st.lists(cidrs, min_size=1, max_size=4))
def test_each_next_hop_is_reached(attached: list[str], hops: list[str]) -> None:
    subnets = [_subnet(cidr, cidr) for cidr in attached]
    nexthops = [ip_network(cidr).network_address + 1 for cidr in hops]
    wanted = [{"nexthop": str(hop), "destination": "0.0.0.0/0" if hop.version == 4 else "::/0"} for hop in nexthops]
    reached = all(any(hop in ip_network(cidr) for cidr in attached) for hop in nexthops)
    try:
        routes.check_reachable(wanted, subnets, [])
    except InvalidRoutes:
        assert not reached
    else:
        assert reached
