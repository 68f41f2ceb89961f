"""Links and addresses in a network namespace of our own (root): nothing outside it is touched."""

import asyncio
import os
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
import uvloop
from tests.ovs.sandbox import own_network
from tests.waiting import PATIENCE

from netweft.agent.host import links as agent_links
from netweft.agent.host.links import LinksSide
from netweft.dataplane.host import ethtool, kernel_state
from netweft.dataplane.host.links import HostError, HostLinks
from netweft.dataplane.host.monitor import HostMonitor
from netweft.dataplane.host.values import Address, Endpoint, VethPair

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PAIR = VethPair(name="D-a", peer="D-b", mtu=1450)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def links() -> HostLinks:
    return HostLinks()


async def test_a_veth_pair_is_made_once(links: HostLinks) -> None:
    assert await links.ensure_veth(PAIR)
    assert not await links.ensure_veth(PAIR)
    assert not ethtool.tx_checksum("D-a")
    assert not ethtool.tx_checksum("D-b")
    assert not await links.ensure_up("D-b", mtu=1450)


async def test_a_veth_pair_may_have_offloads(links: HostLinks) -> None:
    """Also one that an earlier agent has made without."""
    await links.ensure_veth(PAIR)
    assert await links.ensure_veth(msgspec.structs.replace(PAIR, offloads=True))
    assert not await links.ensure_veth(msgspec.structs.replace(PAIR, offloads=True))
    assert ethtool.tx_checksum("D-a") and ethtool.tx_checksum("D-b")


async def test_what_was_changed_by_hand_is_put_right(links: HostLinks) -> None:
    assert not kernel_state.is_joined(PAIR)
    await links.ensure_veth(PAIR)
    assert kernel_state.is_joined(PAIR)
    assert kernel_state.ours() == {PAIR.name, PAIR.peer}
    ethtool.set_tx_checksum("D-a", True)
    assert await links.ensure_veth(PAIR)
    assert not ethtool.tx_checksum("D-a")
    assert await links.ensure_up("D-a", mtu=1400)
    assert not kernel_state.is_joined(PAIR)
    assert kernel_state.link("D-none") is None


async def test_what_is_as_wanted_is_in_place_without_the_library(
    links: HostLinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[VethPair | Address | Endpoint] = [PAIR, Address("D-a", "10.9.8.7", 24)]
    settled = asyncio.Event()
    side = LinksSide(settled.set)
    assert side.plan() == []
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(side.run())
        side.want(wanted, sweep=True)
        assert [step.kind for step in side.plan()] == ["veth", "address"]
        assert not side.in_place
        await settled.wait()
        running.cancel()
    assert side.plan() == []
    monkeypatch.setattr(agent_links, "import_module", pytest.fail)
    settled.clear()
    again = LinksSide(settled.set)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(again.run())
        again.want(wanted, sweep=True)
        await settled.wait()
        assert again.in_place
        running.cancel()


async def test_an_address_of_ours_too_many_is_not_in_place(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    for ip in ("10.9.8.7", "10.9.8.8"):
        await links.ensure_address(Address("D-a", ip, 24))
    settled = asyncio.Event()
    side = LinksSide(settled.set)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(side.run())
        side.want([PAIR, Address("D-a", "10.9.8.7", 24)], sweep=True)
        await settled.wait()
        running.cancel()
    assert [one.ip for one in kernel_state.addresses() if one.ours] == ["10.9.8.7"]


async def test_what_cannot_be_had_is_reported(links: HostLinks) -> None:
    side = LinksSide(lambda: None)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(side.run())
        side.want([Address("D-none", "10.9.8.7", 24)], sweep=True)
        while not side.problem:
            await asyncio.sleep(0.01)
        running.cancel()
    assert side.problem == "D-none: there is no such interface"
    assert not side.in_place


@pytest.mark.parametrize(("ip", "length"), [("10.9.8.7", 24), ("fd00::7", 64)])
async def test_an_address_is_kept(links: HostLinks, ip: str, length: int) -> None:
    address = Address("D-a", ip, length)
    await links.ensure_veth(PAIR)
    assert not kernel_state.has(address, kernel_state.addresses())
    assert await links.ensure_address(address)
    assert not await links.ensure_address(address)
    assert kernel_state.has(address, kernel_state.addresses())
    assert not kernel_state.has(Address("D-b", ip, length), kernel_state.addresses())
    assert not kernel_state.has(Address("D-a", ip, length - 1), kernel_state.addresses())


async def test_of_our_addresses_those_go_that_are_not_wanted(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    for ip in ("10.9.8.7", "10.9.8.8", "fd00::7"):
        await links.ensure_address(Address("D-a", ip, 24 if "." in ip else 64))
    await asyncio.to_thread(subprocess.run, ("ip", "address", "add", "10.9.8.9/24", "dev", "D-a"), check=True)
    assert sorted(await links.delete_addresses(but=["10.9.8.8", "FD00:0::7"])) == ["10.9.8.7"]
    assert {
        one.ip: one.ours for one in kernel_state.addresses() if one.prefix_length in (24, 64) and one.ip[:3] != "fe8"
    } == {
        "10.9.8.8": True,
        "10.9.8.9": False,
        "fd00::7": True,
    }


async def test_only_what_is_ours_is_deleted(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    with pytest.raises(HostError, match="lo: is not ours"):
        await links.delete_veth("lo")
    assert await links.delete_veth("D-b")
    assert not await links.delete_veth("D-a")


async def test_a_name_that_something_else_has(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    with pytest.raises(HostError, match="not a veth with lo"):
        await links.ensure_veth(VethPair(name="D-a", peer="lo"))


async def test_no_such_interface(links: HostLinks) -> None:
    with pytest.raises(HostError, match="no such interface"):
        await links.ensure_up("D-none")


def test_changes_are_reported_also_on_uvloop() -> None:
    async def watch() -> None:
        heard: asyncio.Queue[frozenset[str] | None] = asyncio.Queue()
        links, monitor = HostLinks(), HostMonitor(heard.put_nowait)

        async def hear_of(*wanted: str) -> None:
            names: set[str] = set()
            async with asyncio.timeout(PATIENCE):
                while not names >= set(wanted):
                    names |= await heard.get() or set()
            assert names <= {PAIR.name, PAIR.peer}, "others have not changed"

        await links.ensure_veth(PAIR)
        await hear_of(PAIR.name, PAIR.peer)
        await links.ensure_address(Address(PAIR.name, "192.0.2.7", 24))
        await hear_of(PAIR.name)
        await links.delete_veth(PAIR.name)
        await hear_of(PAIR.name, PAIR.peer)
        monitor.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watch())
