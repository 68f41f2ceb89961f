"""Load balancers added, changed and taken away: at no step does a new connection get to a member that it gets to
neither before nor after, nor is one lost that gets to the same before and after.  So too for an agent that is killed
there.

Connections that are there stay where they are: tests/netns/lb/test_load_balancers.py."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story

from netweft.model import Listener, LoadBalancer, Member, Node, Object, Peer, Pool, Port, key_of
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.region import ANYTHING, interface, network, port, router, subnet

pytestmark = pytest.mark.slow

A, B = network(1), network(2)
R = router(1)
RA, RB = interface(1, R, A, "10.0.0.254"), interface(2, R, B, "10.0.1.254")
CLIENT, NEAR, FAR = port(1, A, "10.0.0.1"), port(2, A, "10.0.0.2"), port(3, A, "10.0.0.3")
ROUTED, BEYOND = port(4, B, "10.0.1.1"), port(5, B, "10.0.1.2")
HERE = (CLIENT, NEAR, ROUTED)
VIP, VIP_MAC = "10.0.0.100", "fa:16:3e:bb:00:01"
LB = LoadBalancer(id="lb", vip_address=VIP, vip_port_id="vip", vip_network_id=A.id, vip_mac_address=VIP_MAC)
POOL = Pool(id="pool", load_balancer_id=LB.id, protocol="UDP", lb_algorithm="ROUND_ROBIN")
WEB = Listener(id="web", load_balancer_id=LB.id, protocol="UDP", protocol_port=80, default_pool_id=POOL.id)
DNS = replace(WEB, id="dns", protocol_port=53)


def peer(of: Port) -> Peer:
    addresses = tuple(fixed.ip_address for fixed in of.fixed_ips)
    return Peer(id=of.id, network_id=of.network_id, mac_address=of.mac_address, ip_addresses=addresses, host_id="hv11")


BASE: tuple[Object, ...] = (
    *(A, B, R, RA, RB, subnet(A, "10.0.0.0/24"), subnet(B, "10.0.1.0/24"), ANYTHING, *HERE, peer(FAR), peer(BEYOND)),
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)


def member(of: Port, **more: object) -> Member:
    at = of.fixed_ips[0].ip_address
    return replace(Member(id=f"m{at}", pool_id=POOL.id, load_balancer_id=LB.id, address=at, protocol_port=8080), **more)


M_NEAR, M_FAR, M_BEYOND, M_SELF = map(member, (NEAR, FAR, BEYOND, CLIENT))
TREE: tuple[Object, ...] = (LB, POOL, WEB, M_NEAR, M_FAR)


def state(*objects: Object, without: Sequence[Object] = ()) -> Situation:
    all = {key_of(one): one for one in (*BASE, *objects)}
    for one in without:
        del all[key_of(one)]
    return Situation(list(all.values()), [one.id for one in HERE])


CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a balancer": (state(), state(*TREE)),
    "a member more": (state(*TREE), state(*TREE, M_BEYOND)),
    "a member, which is a client": (state(*TREE), state(*TREE, M_SELF)),
    "a member drained": (state(*TREE), state(*TREE, replace(M_FAR, weight=0))),
    "a member failed": (state(*TREE), state(*TREE, replace(M_FAR, operating_status="ERROR"))),
    "a member that gets nearly all": (state(*TREE), state(*TREE, replace(M_FAR, weight=9))),
    "another one that does": (state(*TREE, replace(M_FAR, weight=9)), state(*TREE, replace(M_NEAR, weight=9))),
    "only a backup is left": (
        state(*TREE, member(BEYOND, backup=True)),
        state(LB, POOL, WEB, replace(M_NEAR, admin_state_up=False), member(BEYOND, backup=True)),
    ),
    "a member elsewhere": (state(*TREE), state(*TREE, replace(M_FAR, protocol_port=8081))),
    "by the client's address": (state(*TREE), state(*TREE, replace(POOL, lb_algorithm="SOURCE_IP"))),
    "another listener": (state(*TREE), state(LB, POOL, DNS, M_NEAR, M_FAR)),
    "for some only": (state(*TREE), state(*TREE, replace(WEB, allowed_cidrs=("10.0.1.0/24",)))),
    "a balancer that is down": (state(*TREE), state(*TREE, replace(LB, admin_state_up=False))),
    "without the router": (state(*TREE, M_BEYOND), state(*TREE, M_BEYOND, without=(R, RA, RB))),
}


def probes() -> Iterator[Probe]:
    for client, by in ((CLIENT, VIP_MAC), (ROUTED, RB.mac_address)):
        own = client.fixed_ips[0].ip_address
        for at in (80, 53, 81):
            for source in (1001, 1002):
                frame = packets.udp(client.mac_address, by, own, VIP, source, at)
                yield Probe(f"{own} {source} to {at}", INT.role, client.id, {**frame, "ip_ttl": 64})
    direct = packets.udp(CLIENT.mac_address, NEAR.mac_address, "10.0.0.1", "10.0.0.2", 1009, 8080)
    yield Probe("not by the VIP", INT.role, CLIENT.id, direct)


PROBES = list(probes())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("back", [False, True])
async def test_nothing_passes_that_should_not(change: str, tmp_path: Path, *, back: bool) -> None:
    """The way back in another order of what is done at once, and by an agent that finds what there was on its disk."""
    before, after = CHANGES[change]
    story = Story((after, before) if back else (before, after), PROBES, tmp_path, "1:9")
    await story.tell(max if back else min, on_disk=back)
