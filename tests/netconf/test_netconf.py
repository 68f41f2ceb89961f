"""The NETCONF driver against Debian's netconfd: refusals, locks, a connection that is lost before the confirmation."""

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.netns.switches.netconf_switch import NetconfSwitch, edit, netconf_switch

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches import login
from netweft.plugins.mechanisms.switches.dialect import dialects
from netweft.plugins.mechanisms.switches.inventory import Acls, Bond, Switch
from netweft.plugins.mechanisms.switches.netconf import NetconfSwitch as Driver
from netweft.plugins.mechanisms.switches.netconf_session import NetconfSession
from netweft.plugins.mechanisms.switches.switch import ordered
from netweft.reconcile.plan import Step

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

PORTS = ("e1", "e2", "Ethernet1/1", "Port-Channel3")
PATIENCE = 240.0  # seconds, for a device that is told and asked on a busy machine


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetconfSwitch]:
    folder = tmp_path_factory.mktemp("netconf")
    with netconf_switch(folder, folder, PORTS) as found:
        yield found


@pytest.fixture(autouse=True)
def _time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What netconfd does in milliseconds took it half a minute at load 50."""
    monkeypatch.setattr(login, "ANSWER_SECONDS", PATIENCE)


MakeDriver = Callable[..., Driver]


@pytest.fixture
async def driver_of(device: NetconfSwitch) -> AsyncIterator[MakeDriver]:
    """Makes drivers of a switch with nothing on its ports."""
    device.stop()
    device.start(PORTS)
    drivers: list[Driver] = []

    def make(changed: Callable[[], None] = lambda: None, **values: Any) -> Driver:
        given = {key: str(value) for key, value in device.login.items()} | {
            "ngs_ssh_connect_timeout": f"{PATIENCE:.0f}",
            "ngs_netconf_confirmed_commit_timeout": f"{PATIENCE:.0f}",
        }
        names = frozenset({"tor1"})
        switch = Switch(name="tor1", device_type="netconf_openconfig", names=names, options=given, **values)
        drivers.append(Driver(dialects()["netconf_openconfig"], switch, changed))
        return drivers[-1]

    yield make
    for one in drivers:
        await one.close()


@pytest.fixture
def driver(driver_of: MakeDriver) -> Driver:
    return driver_of()


def made(*keys: str, value: Any = True) -> list[Step]:
    return ordered([Step("device", key, None, "net101" if key.startswith("vlan") else value) for key in keys])


def gone(*keys: str, value: Any = True) -> list[Step]:
    return ordered([Step("device", key, value, None) for key in keys])


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_what_is_said_is_there_and_goes_again(device: NetconfSwitch, driver: Driver) -> None:
    keys = ["vlan 101", "tagged e1 101", "tagged Port-Channel3 101"]
    await device.by_hand(edit("e2", "trunk-vlans", 77))
    await device.by_hand(edit("e2", "interface-mode", "TRUNK"))
    assert await driver.read(keys, anew=True) == {}
    assert await driver.apply(made(*keys, "tagged e2 101")) == {}
    assert await driver.apply(made("untagged Ethernet1/1", value=101)) == {}
    there = await driver.read([*keys, "untagged Ethernet1/1", "tagged e2 77"], anew=True)
    assert there == dict.fromkeys(keys, True) | {
        "vlan 101": "net101",
        "untagged Ethernet1/1": 101,
        "tagged e2 77": True,
    }
    assert await driver.apply(gone(*keys, "tagged e2 101")) == {}
    assert await driver.apply(gone("untagged Ethernet1/1", value=101)) == {}
    found = await device.running()
    assert {port: found[port] for port in PORTS} == {
        "e1": ("", "", ()),  # and no trunk without a list, which would carry all
        "e2": ("TRUNK", "", ("77",)),
        "Ethernet1/1": ("", "", ()),
        "Port-Channel3": ("", "", ()),
    }


async def test_security_groups_are_sets_that_are_exchanged_and_go(device: NetconfSwitch, driver_of: MakeDriver) -> None:
    driver, (way, to) = driver_of(acls=Acls.YES), ("acl-in e1", "acl-out e1")
    first = {"entries": ["ipv4 6 192.0.2.0/24 - 80-90 -", "ipv6 58 any - - 135", "ipv4 6 any 22 - - established"]}
    second = {"entries": ["ipv4 1 any - - 8"]}
    assert await driver.apply([Step("device", way, None, first), Step("device", to, None, second)]) == {}
    there = await driver.read([way, to], anew=False)
    assert driver.shows(way, first, there[way]) and driver.shows(to, second, there[to])
    assert not driver.shows(way, second, there[way])
    assert await driver.apply([Step("device", way, first, second)]) == {}
    there = await driver.read([way, to], anew=True)
    assert driver.shows(way, second, there[way]) and driver.shows(to, second, there[to])
    said = await device.say("<get-config><source><running/></source></get-config>")
    assert said.count("<sequence-id>10</sequence-id>") == 8  # of four sets, each twice: none of the first is left
    unsaid = await driver.apply([Step("device", way, second, {"entries": ["ipv4 1 any - - 3.4"]})])
    assert "no number of an ICMP code" in unsaid[way]
    assert await driver.apply([Step("device", way, second, None), Step("device", to, second, None)]) == {}
    assert await driver.read([way, to], anew=True) == {}
    assert "acl-set>" not in await device.say("<get-config><source><running/></source></get-config>")


async def test_a_bond_is_made_and_carries_the_vlans(device: NetconfSwitch, driver_of: MakeDriver) -> None:
    driver = driver_of(bonds={"Port-Channel7": Bond(("e1", "e2"))})
    bond, members = made("bond Port-Channel7", value=0), made("member e1", "member e2", value=7)
    assert await driver.apply([*bond, *members, *made("tagged Port-Channel7 101")]) == {}
    keys = ["bond Port-Channel7", "member e1", "member e2", "tagged Port-Channel7 101"]
    assert await driver.read(keys, anew=True) == dict(zip(keys, [0, 7, 7, True], strict=True))
    assert (await device.running())["Port-Channel7"] == ("TRUNK", "", ("101",))
    away = [*gone("tagged Port-Channel7 101"), *gone("member e1", "member e2", value=7)]
    assert await driver.apply([*away, *gone("bond Port-Channel7", value=0)]) == {}
    assert "Port-Channel7" not in await device.running()


async def test_its_words_are_reported_of_what_it_refuses_and_the_rest_is_done(
    device: NetconfSwitch, driver: Driver
) -> None:
    refused = await driver.apply(made("tagged e1 101", "tagged e9 101", "tagged e2 101"))
    assert refused.keys() == {"tagged e9 101"}  # there is no such port
    assert "not found" in refused["tagged e9 101"] and "e9" in refused["tagged e9 101"]
    found = await device.running()
    assert found["e1"][2] == found["e2"][2] == ("101",)


async def test_somebody_elses_lock_is_waited_for(driver: Driver, driver_of: MakeDriver) -> None:
    other = driver_of()
    session = await other._connected()
    await other._lock(session, "candidate")
    with pytest.raises(Unreachable, match="its candidate configuration is locked: "):
        await driver.apply(made("tagged e1 101"))
    await other.close()

    async def goes() -> bool:
        try:
            return await driver.apply(made("tagged e1 101")) == {}
        except Unreachable:
            return False

    await until(goes)


async def test_lost_before_it_is_confirmed_the_device_goes_back_by_itself(
    device: NetconfSwitch, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = NetconfSession.ask
    cut: list[object] = []

    async def ask_and_lose(session: NetconfSession, operation: ET.Element) -> ET.Element:
        answer = await ask(session, operation)
        if operation.find("confirmed") is not None and not cut:
            cut.append((await device.running())["e1"])
            assert driver._connection is not None
            driver._connection.abort()
        return answer

    monkeypatch.setattr(NetconfSession, "ask", ask_and_lose)
    with pytest.raises(Unreachable):
        await driver.apply(made("tagged e1 101"))
    assert cut == [("TRUNK", "", ("101",))]

    async def is_back() -> bool:
        return (await device.running())["e1"] == ("", "", ())

    await until(is_back)
    assert await driver.read(["tagged e1 101"], anew=True) == {}
    assert await driver.apply(made("tagged e1 101")) == {}
    assert (await device.running())["e1"] == ("TRUNK", "", ("101",))


async def test_what_others_change_is_heard_at_once(device: NetconfSwitch, driver_of: MakeDriver) -> None:
    heard = 0

    def hear() -> None:
        nonlocal heard
        heard += 1

    listening = driver_of(hear)
    await listening.read(["tagged e1 101"], anew=True)

    async def is_heard() -> bool:
        """It may not listen yet."""
        await device.by_hand(edit("e1", "trunk-vlans", 101))
        await device.by_hand(edit("e1", "trunk-vlans", 101, "nc:operation='delete'"))
        return heard > 0

    await until(is_heard)
    before = heard
    assert await listening.apply(made("tagged e2 101")) == {}
    await device.by_hand(edit("e1", "trunk-vlans", 102))

    async def is_heard_again() -> bool:
        return heard > before

    await until(is_heard_again)
