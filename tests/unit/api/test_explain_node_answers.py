"""What explain makes of a node's answers about a port."""

from typing import Any

import pytest

from netweft.api.resources.explain import node_answers
from netweft.feed.queries import Silence
from netweft.wire.queries import Answer, Ask, Interface
from netweft.wire.wiring import Far, Station, Wiring

PORT: dict[str, Any] = {
    "id": "11111111-2222-3333-4444-555555555555",
    "network_id": "n",
    "status": "ACTIVE",
    "binding:host_id": "hv1",
    "binding:vif_type": "ovs",
}
HERE = Answer(id="", interfaces=(Interface(name="tap1", port_id=PORT["id"], link="up", ofport=3),))
OWN = "192.0.2.1"
UP, DOWN = Station(name="eth0", link="up"), Station(name="eth1", link="down")
VIF = Station(name="tap1")
FAR = (Far(host="hv2"),)


def codes(wiring: Wiring | None) -> list[str]:
    return [one.code.code for one in node_answers.found(PORT, node_answers.Said(HERE, wiring))]


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        pytest.param(None, [], id="not said"),
        pytest.param(Wiring(vif=VIF, tunnel_ip=OWN, uplinks=(DOWN,), far=FAR), ["uplink-link-down"]),
        pytest.param(Wiring(vif=VIF, tunnel_ip=OWN, uplinks=(DOWN,)), [], id="the network is on no other node"),
        pytest.param(Wiring(vif=VIF, tunnel_ip=OWN, uplinks=(DOWN, UP), far=FAR), [], id="one is up"),
        pytest.param(Wiring(vif=VIF, out=(DOWN,)), ["uplink-link-down"], id="a wire"),
        pytest.param(Wiring(vif=VIF, out=(UP,)), [], id="a wire that is up"),
        pytest.param(Wiring(vif=VIF), [], id="no way out"),
    ],
)
def test_an_interface_without_carrier(wiring: Wiring | None, expected: list[str]) -> None:
    assert codes(wiring) == expected


class Node:
    def __init__(self, *answers: Answer | Silence) -> None:
        self.answers = list(answers)

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        return self.answers[question.wiring]


async def test_a_node_that_does_not_say_how_it_is_wired_has_still_answered() -> None:
    assert await node_answers.said(Node(HERE, Silence("too late")), "ports", PORT) == node_answers.Said(HERE, None)


async def test_a_silent_node_is_named() -> None:
    assert await node_answers.said(Node(Silence("is gone"), HERE), "ports", PORT) == "hv1: is gone"
