"""A VIP that is new, or has another MAC, is told to the VMs of its network."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from netweft.agent.desired import Desired
from netweft.agent.lb import announcing
from netweft.agent.lb.announcing import VipAnnouncer
from netweft.model import LoadBalancer, NodeView, key_of, view_of
from netweft.services.addresses import octets
from netweft.services.l2.announce import Packet

LB = LoadBalancer(
    id="lb", vip_address="10.0.0.9", vip_port_id="p", vip_network_id="n", vip_mac_address="fa:16:3e:00:00:09"
)
OTHER_MAC = replace(LB, vip_mac_address="fa:16:3e:00:00:0a")
NONE = view_of("h", 1, [])


def told(monkeypatch: pytest.MonkeyPatch, before: NodeView, now: LoadBalancer) -> list[Packet]:
    monkeypatch.setattr(announcing, "AFTER", ())
    view = view_of("h", 2, [now])
    sent: list[Packet] = []
    desired: Any = SimpleNamespace(view=view, vlans={"n": 7}, ports_on=lambda vlan: [5, 6] if vlan == 7 else [])
    announcer = VipAnnouncer(cast(Desired, desired), sent.append)
    announcer.see(before, view, [key_of(now)])
    announcer.wired()
    announcer.wired()
    return sent


@pytest.mark.parametrize(
    ("before", "now", "times"),
    [
        (NONE, LB, 2),
        (view_of("h", 1, [LB]), OTHER_MAC, 2),
        (view_of("h", 1, [LB]), replace(LB, name="another"), 0),
        (NodeView(), LB, 0),
    ],
    ids=["new", "another MAC", "renamed", "the agent has just started"],
)
def test_it_is_said_to_each_port(
    monkeypatch: pytest.MonkeyPatch, before: NodeView, now: LoadBalancer, times: int
) -> None:
    said = told(monkeypatch, before, now)
    assert len(said) == times
    assert all(octets(now.vip_mac_address) in packet.frame for packet in said)
