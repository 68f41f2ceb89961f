"""Links and addresses in a network namespace of our own (root): nothing outside it is touched."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
import uvloop
from tests.ovs.sandbox import own_network
from tests.waiting import PATIENCE

from netweft.dataplane.host import ethtool
from netweft.dataplane.host.links import HostError, HostLinks
from netweft.dataplane.host.values import Address, VethPair

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PAIR = VethPair(name="D-a", peer="D-b", mtu=1450)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
async def links() -> AsyncIterator[HostLinks]:
    host = await HostLinks.open()
    yield host
    await host.close()


async def test_a_veth_pair_is_made_once(links: HostLinks) -> None:
    assert await links.ensure_veth(PAIR)
    assert not await links.ensure_veth(PAIR)
    assert not ethtool.tx_checksum("D-a")
    assert not ethtool.tx_checksum("D-b")
    assert not await links.ensure_up("D-b", mtu=1450)


async def test_what_was_changed_by_hand_is_put_right(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    ethtool.set_tx_checksum("D-a", True)
    assert await links.ensure_veth(PAIR)
    assert not ethtool.tx_checksum("D-a")
    assert await links.ensure_up("D-a", mtu=1400)


@pytest.mark.parametrize(("ip", "length"), [("10.9.8.7", 24), ("fd00::7", 64)])
async def test_an_address_is_kept(links: HostLinks, ip: str, length: int) -> None:
    await links.ensure_veth(PAIR)
    assert not await links.has_address(ip)
    assert await links.ensure_address(Address("D-a", ip, length))
    assert not await links.ensure_address(Address("D-a", ip, length))
    assert await links.has_address(ip)


async def test_of_our_addresses_those_go_that_are_not_wanted(links: HostLinks) -> None:
    await links.ensure_veth(PAIR)
    for ip in ("10.9.8.7", "10.9.8.8", "fd00::7"):
        await links.ensure_address(Address("D-a", ip, 24 if "." in ip else 64))
    await asyncio.to_thread(subprocess.run, ("ip", "address", "add", "10.9.8.9/24", "dev", "D-a"), check=True)
    assert sorted(await links.delete_addresses(but=["10.9.8.8", "FD00:0::7"])) == ["10.9.8.7"]
    assert [await links.has_address(ip) for ip in ("10.9.8.7", "10.9.8.8", "10.9.8.9", "fd00::7")] == [
        False, True, True, True,
    ]  # fmt: skip


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


def test_changes_are_told_also_on_uvloop() -> None:
    async def watch() -> None:
        heard: asyncio.Queue[frozenset[str] | None] = asyncio.Queue()
        links = await HostLinks.open(heard.put_nowait)

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
        await links.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watch())
