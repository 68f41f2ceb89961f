"""Whose the connections are that conntrack lists."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.unixctl.conntrack import connections
from netweft.model import Listener, LoadBalancer, Member, NodeView, Pool
from netweft.services.lb.active import active

BALANCER = LoadBalancer(id="b1", vip_address="10.0.0.9", vip_port_id="p9", vip_network_id="n1")
POOL = Pool(id="o1", load_balancer_id="b1", protocol="TCP", lb_algorithm="ROUND_ROBIN")
LISTENER = Listener(id="l1", load_balancer_id="b1", protocol="TCP", protocol_port=80, default_pool_id="o1")
MEMBER = Member(id="m1", pool_id="o1", load_balancer_id="b1", address="10.0.0.4", protocol_port=8080)
VIEW = NodeView(load_balancers={"b1": BALANCER}, listeners={"l1": LISTENER}, pools={"o1": POOL}, members={"m1": MEMBER})
# another tenant's, with the same VIP
THEIRS = NodeView(
    load_balancers=VIEW.load_balancers | {"b2": replace(BALANCER, id="b2")},
    listeners=VIEW.listeners | {"l2": replace(LISTENER, id="l2", load_balancer_id="b2", default_pool_id="o2")},
    pools=VIEW.pools | {"o2": replace(POOL, id="o2", load_balancer_id="b2")},
    members=VIEW.members | {"m2": replace(MEMBER, id="m2", load_balancer_id="b2", pool_id="o2", address="10.0.0.5")},
)


def entry(
    *, sport: int = 1, dst: str = "10.0.0.9", zone: int = 0x8001, state: str = "ESTABLISHED", member: str = "10.0.0.4"
) -> str:
    """As ovs-vswitchd lists it."""
    there, back = (
        f"src=10.0.0.3,dst={dst},sport={sport},dport=80",
        f"src={member},dst=10.0.0.3,sport=8080,dport={sport}",
    )
    return f"tcp,orig=({there}),reply=({back}),zone={zone},protoinfo=(state={state})"


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([entry(), entry(sport=2)], {"l1": 2}),
        ([entry(state="SYN_SENT"), entry(sport=2, state="TIME_WAIT"), entry(sport=3, state="CLOSING")], {}),
        ([entry(zone=1)], {}),
        ([entry(dst="10.0.0.8")], {}),
        (["udp" + entry()[3:]], {}),
        ([entry(member="10.0.0.77")], {"l1": 1}),
    ],
    ids=[
        "open",
        "not yet or no more",
        "seen by groups",
        "another address",
        "another protocol",
        "a member that has gone",
    ],
)
def test_whose_is_counted(listed: list[str], found: dict[str, int]) -> None:
    assert active(VIEW, connections("\n".join(listed))) == found


def test_datagrams_are_counted_while_they_are_remembered() -> None:
    view = replace(
        VIEW,
        listeners={"l1": replace(LISTENER, protocol="UDP")},
        pools={"o1": replace(POOL, protocol="UDP")},
    )
    assert active(view, connections("udp" + entry()[3:].partition(",protoinfo")[0])) == {"l1": 1}


def test_tenants_with_the_same_vip_are_told_apart() -> None:
    listed = [entry(), entry(sport=2, member="10.0.0.5"), entry(sport=3, member="10.0.0.5")]
    assert active(THEIRS, connections("\n".join(listed))) == {"l1": 1, "l2": 2}
