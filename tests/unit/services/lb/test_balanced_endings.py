"""Which balanced connections end when members and listeners change."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import B1, B2, BLUE, R1, RED, region
from tests.unit.services.lb import test_balancing
from tests.unit.services.lb.test_balancing import LISTENER, POOL, member

from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import Listener, Member, NodeView, Object, Pool, key_of, view_of
from netweft.services.fields import BALANCED_ZONE
from netweft.services.security.endings import Ended, chosen, ended
from netweft.testing.region import Region

__all__ = ["region"]

FIRST, OTHER = member(1, B2), member(2, R1)
VIP = test_balancing.VIPS[4]


def view(region: Region, *more: Object) -> NodeView:
    test_balancing.balanced(region, FIRST, OTHER)
    seen = {key_of(one): one for one in region.view_of("hv1")} | {key_of(one): one for one in more}
    return view_of("", 1, seen.values())


@pytest.mark.parametrize(
    ("change", "who"),
    [
        (replace(FIRST, weight=0), set()),
        (replace(FIRST, name="another"), set()),
        (replace(FIRST, backup=True), set()),
        (replace(FIRST, operating_status="ERROR"), {"10.0.0.11"}),
        (replace(FIRST, admin_state_up=False), {"10.0.0.11"}),
        (replace(FIRST, protocol_port=81), {"10.0.0.11"}),
        (replace(LISTENER, admin_state_up=False), {"10.0.0.11", "10.0.1.20"}),
        (replace(LISTENER, allowed_cidrs=("10.0.0.0/8",)), set()),
        (replace(POOL, lb_algorithm="SOURCE_IP"), set()),
        (replace(test_balancing.LB, admin_state_up=False), {"10.0.0.11", "10.0.1.20"}),
    ],
    ids=["drained", "renamed", "backup", "failed", "down", "elsewhere", "listener", "allowed", "method", "balancer"],
)
def test_whose_end(region: Region, change: Listener | Member | Pool, who: set[str]) -> None:
    """In each network that the VIP is reached from."""
    before, after = view(region), view(region, change)
    found = ended(before, after, [key_of(change)])
    assert {one.balanced.address for one in found if one.balanced} == who
    assert {one.network_id for one in found} == ({BLUE.id, RED.id} if who else set())


def test_the_right_ones_are_chosen(region: Region) -> None:
    before = view(region)
    after = before.merged(2, (), [key_of(FIRST)])
    (gone,) = {one for one in ended(before, after, [key_of(FIRST)]) if one.network_id == BLUE.id}
    assert gone.zone(7) == BALANCED_ZONE | 7
    assert Ended(BLUE.id).zone(7) == 7
    client, zone = B1.fixed_ips[0].ip_address, gone.zone(7)
    its = Connection(
        zone=zone, src=client, dst=VIP, protocol=6, sport=4000, dport=80, answers_from="10.0.0.11", answering_port=8080
    )
    others = [
        replace(its, answers_from="10.0.1.20"),
        replace(its, answering_port=80),
        replace(its, dst="10.0.0.101"),
        replace(its, dport=443),
        replace(its, protocol=17),
        replace(its, zone=7),
    ]
    assert list(chosen([its, *others], {zone: [gone]}, {})) == [its]
