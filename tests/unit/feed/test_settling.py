"""A balancer is ACTIVE once the nodes that follow it have it in place; who does not answer holds nobody up for long."""

import asyncio
from typing import Any

import pytest
from tests.unit.feed.conftest import Rig
from tests.waiting import PATIENCE

from netweft.control.fwaas import status as firewalls
from netweft.control.lb import tree
from netweft.feed import settling
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.wire.queries import Answer, Ask

PENDING = {"provisioning_status": "PENDING_CREATE", tree.CHANGE: 1, tree.AFFECTED: []}


def balancer(rig: Rig, **changes: Any) -> None:
    vip = {"vip_address": "10.0.0.9", "vip_port_id": "p9", "vip_network_id": "n1", "network_id": "n1"}
    rig.write("loadbalancers", id="b1", **(vip | PENDING | changes))
    rig.feed.settling.begin("b1")


def status(rig: Rig) -> str:
    return str(rig.row("loadbalancers", "b1")["provisioning_status"])


async def until_active(rig: Rig) -> None:
    async with asyncio.timeout(PATIENCE):
        while status(rig) != "ACTIVE":
            await asyncio.sleep(0.01)


async def test_nobody_has_to_do_anything(rig: Rig) -> None:
    balancer(rig)
    await until_active(rig)


async def test_the_nodes_that_have_it_say_so(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1", fixed_ips=[])
    client, recorder = await rig.client("hv1")
    go = asyncio.Event()
    asked: list[int] = []

    async def answer(question: Ask) -> Answer:
        asked.append(question.settled)
        await go.wait()
        return Answer(id=question.id, revision=question.settled)

    client.on_asked = answer
    bystander, other = await rig.client("hv2")
    bystander.on_asked = answer
    await recorder.until(lambda: recorder.changes)
    await other.until(lambda: other.changes)
    async with asyncio.timeout(PATIENCE):
        while not (rig.feed.queries.is_here("hv1") and rig.feed.queries.is_here("hv2")):
            await asyncio.sleep(0.01)
    balancer(rig)
    async with asyncio.timeout(PATIENCE):
        while not asked:
            await asyncio.sleep(0.01)
    await recorder.until(
        lambda: any(key[0] == "load_balancer" for change in recorder.changes for key in change.upserts)
    )
    assert status(rig) == "PENDING_CREATE"
    go.set()
    await until_active(rig)
    assert len(asked) == 1, "only who has it is asked"


async def test_who_is_silent_holds_it_up_for_a_while(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "SECONDS", -0.4)
    rig.network()
    rig.port("p1", "hv1", fixed_ips=[])
    client, recorder = await rig.client("hv1")

    async def answer(question: Ask) -> Answer:
        await asyncio.sleep(60)
        return Answer(id=question.id)

    client.on_asked = answer
    await recorder.until(lambda: recorder.changes)
    balancer(rig)
    await until_active(rig)


async def test_what_another_server_has_left_behind(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LOOK_SECONDS", 0.05)
    await rig.stop()
    balancer(rig)
    await rig.start()
    await until_active(rig)


async def test_a_change_since_is_waited_for(rig: Rig) -> None:
    with rig.store.write() as tx:
        tx.insert("loadbalancers", {"id": "b1"} | PENDING | {tree.CHANGE: 2})
    with rig.store.write() as tx:
        assert not tree.in_place(tx, "b1", 1)
        assert tree.in_place(tx, "b1", 2)
        assert not tree.in_place(tx, "b1", 2)


async def test_a_firewall_group_is_in_place_once_its_nodes_say_so(rig: Rig) -> None:
    rig.network()
    client, recorder = await rig.client("hv1")
    go = asyncio.Event()

    async def answer(question: Ask) -> Answer:
        await go.wait()
        return Answer(id=question.id, revision=question.settled)

    client.on_asked = answer
    await recorder.until(lambda: recorder.changes)
    async with asyncio.timeout(PATIENCE):
        while not rig.feed.queries.is_here("hv1"):
            await asyncio.sleep(0.01)
    group = {"ports": ["p1"], "admin_state_up": True, "ingress_firewall_policy_id": "y1"}
    rig.write("firewall_groups", id="f1", egress_firewall_policy_id=None, **group)
    rig.port("p1", "hv1", fixed_ips=[], **{FIREWALL_GROUP: "f1"})
    with rig.store.write() as tx:
        firewalls.pend(tx, ["f1"])
    rig.feed.firewalls.look()
    await recorder.until(lambda: "firewall_group" in {key[0] for one in recorder.changes for key in one.upserts})

    def waiting() -> list[str]:
        with rig.store.read() as tx:
            return firewalls.pending(tx)

    assert waiting() == ["f1"]
    go.set()
    async with asyncio.timeout(PATIENCE):
        while waiting():
            await asyncio.sleep(0.01)
