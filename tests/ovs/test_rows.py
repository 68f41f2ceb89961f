"""Rows of ours are made, changed and removed; what others wrote stays as it is; what others do is seen."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.ovs.sandbox import Sandbox
from tests.waiting import PATIENCE

from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.driver import RowDriver
from netweft.dataplane.ovsdb.errors import OvsdbLost, TransactionFailed
from netweft.dataplane.ovsdb.replica import Replica
from netweft.dataplane.ovsdb.rows import MARK, BridgeRow, KeptNumber, PortRow, Row, VifTag, row_key
from netweft.dataplane.ovsdb.view import OvsView

OURS = ((MARK, "test"),)
NETWORK = (("netweft-network", "net-1"),)


async def wait_for(connection: OvsdbConnection, condition: Callable[[Replica], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        await connection.wait_for(condition)


def bridge_of_ours(name: str) -> BridgeRow:
    return BridgeRow(name=name, datapath_type="dummy", external_ids=OURS)


def patch(bridge: str, name: str, peer: str, **more: str) -> PortRow:
    options = tuple(sorted({"peer": peer, **more}.items()))
    return PortRow(name=name, bridge=bridge, type="patch", options=options, external_ids=OURS)


@pytest.fixture
async def connection(own_ovs: Sandbox) -> AsyncIterator[OvsdbConnection]:
    connection = await OvsdbConnection.connect(own_ovs.db)
    yield connection
    await connection.close()


@pytest.fixture
def driver(connection: OvsdbConnection) -> RowDriver:
    return RowDriver(connection)


ALL: list[Row] = [
    bridge_of_ours("br-a"),
    bridge_of_ours("br-b"),
    patch("br-a", "to-b", "to-a"),
    patch("br-b", "to-a", "to-b"),
    PortRow(
        name="vx",
        bridge="br-b",
        type="vxlan",
        options=(("key", "flow"), ("remote_ip", "flow")),
        tag=7,
        external_ids=OURS,
    ),
]


async def test_all_is_made_in_one_transaction_and_then_nothing_is_left_to_do(
    driver: RowDriver, connection: OvsdbConnection
) -> None:
    driver.want(ALL)
    assert driver.plan(delete=True).upserts == tuple(sorted(ALL, key=row_key))
    await driver.apply(delete=True, wait=True)
    view = OvsView(connection.replica)
    assert not driver.plan(delete=True)
    assert view.bridges().keys() == {"br-a", "br-b"}
    assert view.ports("br-b")["vx"] == ALL[-1]
    assert (view.ofport("vx") or 0) > 0
    assert view.error("vx") == ""


async def test_all_goes_again(driver: RowDriver, connection: OvsdbConnection) -> None:
    driver.want(ALL)
    await driver.apply(delete=True, wait=True)
    driver.want(ALL[:2])
    await driver.apply(delete=True, wait=True)
    assert OvsView(connection.replica).ports("br-b").keys() == {"br-b"}
    driver.want([])
    assert not driver.plan(delete=False)
    await driver.apply(delete=True, wait=True)
    assert OvsView(connection.replica).bridges() == {}


async def test_what_others_wrote_on_our_rows_stays(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    driver.want(ALL)
    await driver.apply(delete=True, wait=True)
    own_ovs.vsctl("set", "bridge", "br-a", "external_ids:theirs=1", "other_config:hwaddr=02:00:00:00:00:01")
    own_ovs.vsctl("set", "port", "vx", "external_ids:theirs=2")
    own_ovs.vsctl("remove", "port", "vx", "tag", "7", "--", "set", "bridge", "br-a", "fail_mode=standalone")
    view = OvsView(connection.replica)
    await wait_for(connection, lambda _: view.bridges()["br-a"].fail_mode == "standalone")
    assert set(driver.plan(delete=True).upserts) == {ALL[0], ALL[4]}
    await driver.apply(delete=True, wait=True)
    assert own_ovs.vsctl("get", "bridge", "br-a", "external_ids:theirs", "fail_mode").stdout == '"1"\nsecure\n'
    assert own_ovs.vsctl("get", "bridge", "br-a", "other_config:hwaddr").stdout == '"02:00:00:00:00:01"\n'
    assert own_ovs.vsctl("get", "port", "vx", "external_ids:theirs", "tag").stdout == '"2"\n7\n'


def number(at: int, name: str = "") -> KeptNumber:
    return KeptNumber(port_name="to-b", number=at, name=name or f"network-{at}")


async def test_a_number_more_on_a_row_with_a_thousand_is_one_key_more(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come with their port, and go by themselves; what others wrote beside them stays."""
    numbers = [number(at) for at in range(1, 1001)]
    driver.want([*ALL, *numbers])
    await driver.apply(delete=True, wait=True)
    assert not driver.plan(delete=True)
    own_ovs.vsctl("set", "port", "to-b", "external_ids:theirs=1")
    await wait_for(connection, lambda replica: "theirs" in replica.port("to-b").external_ids)  # type: ignore[union-attr]
    sent: list[object] = []
    transact = connection.transact

    async def noted(operations: list[object]) -> object:
        sent.extend(operations)
        return await transact(operations)  # type: ignore[arg-type]

    monkeypatch.setattr(connection, "transact", noted)
    driver.change([number(1001), number(7, "other")], [row_key(number(9))])
    plan = await driver.apply(delete=True)
    assert set(plan.upserts) == {number(1001), number(7, "other")}
    assert plan.deletes == (number(9),)
    assert len(str(sent)) < 1000
    ids = dict(OvsView(connection.replica).ports("br-a")["to-b"].external_ids)
    assert ids.keys() == {MARK, "theirs"} | {f"netweft-vlan-{at}" for at in range(1, 1002) if at != 9}
    assert ids["netweft-vlan-7"] == "other"


async def test_numbers_that_somebody_changed_are_put_right(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    """Also those that an agent without any memory finds and does not want."""
    driver.want([*ALL, number(1), number(2)])
    await driver.apply(delete=True, wait=True)
    own_ovs.vsctl("remove", "port", "to-b", "external_ids", "netweft-vlan-1", "--",
                  "set", "port", "to-b", "external_ids:netweft-vlan-3=x", "external_ids:netweft-vlan-2=y")  # fmt: skip
    await wait_for(connection, lambda replica: "netweft-vlan-3" in replica.port("to-b").external_ids)  # type: ignore[union-attr]
    plan = driver.plan(delete=True)
    assert set(plan.upserts) == {number(1), number(2)}
    assert plan.deletes == (number(3, "x"),)
    await driver.apply(delete=True)
    again = RowDriver(connection)
    again.want([*ALL, number(1)])
    assert again.plan(delete=True).deletes == (number(2),)
    assert not again.plan(delete=False)


async def test_numbers_are_kept_on_no_port_of_others(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    own_ovs.add_bridge("br-theirs")
    own_ovs.vsctl("add-port", "br-theirs", "to-b")
    await wait_for(connection, lambda replica: replica.port("to-b") is not None)
    driver.want([number(1), number(2)])
    plan = await driver.apply(delete=True)
    assert not plan
    assert plan.conflicts == ("numbers are not kept on port to-b: it is not ours, or not there",)


async def test_options_change_in_place(driver: RowDriver, connection: OvsdbConnection) -> None:
    driver.want(ALL)
    await driver.apply(delete=True, wait=True)
    before = connection.replica.uuid("Interface", "vx")
    driver.want([*ALL[:-1], PortRow(name="vx", bridge="br-b", type="geneve", external_ids=OURS)])
    await driver.apply(delete=True, wait=True)
    record = connection.replica.interface("vx")
    assert record is not None
    assert (record.type, record.options) == ("geneve", {})
    assert connection.replica.uuid("Interface", "vx") == before


async def test_rows_of_others_are_left_alone(own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection) -> None:
    own_ovs.add_bridge("br-theirs")
    own_ovs.vsctl("add-port", "br-theirs", "to-b", "--", "set", "interface", "to-b", "type=internal")
    await wait_for(connection, lambda replica: replica.port("to-b") is not None)
    driver.want([ALL[0], patch("br-a", "to-b", "to-a"), patch("br-none", "x", "y")])
    plan = await driver.apply(delete=True, wait=True)
    assert plan.upserts == (ALL[0],)
    assert plan.conflicts == (
        "port to-b on br-theirs was made by somebody else",
        "port x: there is no bridge br-none",
    )
    driver.want([])
    await driver.apply(delete=True, wait=True)
    assert OvsView(connection.replica).bridges().keys() == {"br-theirs"}


async def test_a_bridge_with_a_port_of_somebody_else_is_not_deleted(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    driver.want(ALL[:1])
    await driver.apply(delete=True, wait=True)
    own_ovs.vsctl("add-port", "br-a", "vif", "--", "set", "interface", "vif", "type=internal")
    await wait_for(connection, lambda replica: replica.port("vif") is not None)
    driver.want([])
    plan = await driver.apply(delete=True)
    assert (plan.deletes, len(plan.conflicts)) == ((), 1)


async def test_a_vif_is_seen_with_its_ofport_tagged_and_untagged(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    view = OvsView(connection.replica)
    tag = VifTag(port_name="vif", tag=5, mtu=1400, external_ids=NETWORK)
    driver.want([ALL[0], tag])
    await driver.apply(delete=True, wait=True)
    ids = ("external_ids:iface-id=port-1", "external_ids:attached-mac=02:00:00:00:00:09")
    own_ovs.vsctl("add-port", "br-a", "vif", "--", "set", "interface", "vif", "type=dummy", *ids)
    await wait_for(connection, lambda _: "port-1" in view.vifs("br-a") and view.ofport("vif") is not None)
    vif = view.vifs("br-a")["port-1"]
    assert (vif.port_name, vif.mac, vif.tag, (vif.ofport or 0) > 0) == ("vif", "02:00:00:00:00:09", None, True)
    await driver.apply(delete=True)
    assert view.vifs("br-a")["port-1"].tag == 5
    assert view.tags() == {"vif": tag}
    assert own_ovs.vsctl("get", "interface", "vif", "mtu_request").stdout == "1400\n"
    own_ovs.vsctl("set", "port", "vif", "tag=99", "--", "clear", "interface", "vif", "mtu_request")
    await wait_for(connection, lambda _: view.vifs("br-a")["port-1"].tag == 99)
    assert (await driver.apply(delete=True)).upserts == (tag,)
    assert own_ovs.vsctl("get", "interface", "vif", "mtu_request").stdout == "1400\n"
    assert own_ovs.vsctl("get", "port", "vif", "tag").stdout == "5\n"
    driver.want([ALL[0]])
    await driver.apply(delete=True)
    assert own_ovs.vsctl("get", "port", "vif", "tag", "external_ids").stdout == "[]\n{}\n"
    assert own_ovs.vsctl("get", "interface", "vif", "mtu_request").stdout == "[]\n"


async def test_an_interface_that_cannot_be_opened_says_why(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    view = OvsView(connection.replica)
    port = PortRow(name="broken", bridge="br-a", type="patch", external_ids=OURS)
    driver.want([ALL[0], port])
    await driver.apply(delete=True, wait=True)
    assert view.ofport("broken") == -1
    assert "peer" in view.error("broken")


async def test_of_two_writers_with_one_name_the_second_is_refused(own_ovs: Sandbox) -> None:
    one, two = [await OvsdbConnection.connect(own_ovs.db) for _ in range(2)]
    drivers = [RowDriver(one), RowDriver(two)]
    for driver in drivers:
        driver.want(ALL[:1])
    results = await asyncio.gather(*(driver.apply(delete=True) for driver in drivers), return_exceptions=True)
    assert sum(isinstance(result, TransactionFailed) for result in results) == 1
    await wait_for(two, lambda replica: replica.bridge("br-a") is not None)
    assert not any(driver.plan(delete=True) for driver in drivers)
    await one.close()
    await two.close()


async def test_a_transaction_is_all_or_nothing(connection: OvsdbConnection) -> None:
    good = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]}
    before = connection.replica.root.next_cfg
    with pytest.raises(TransactionFailed, match="No table named Nope"):
        await connection.transact([good, {"op": "insert", "table": "Nope", "row": {}}])
    assert connection.replica.root.next_cfg == before


async def test_ovsdb_killed_is_seen_at_once_and_all_is_there_after_reconnecting(
    own_ovs: Sandbox, driver: RowDriver, connection: OvsdbConnection
) -> None:
    driver.want(ALL)
    await driver.apply(delete=True, wait=True)
    waiting = asyncio.create_task(connection.wait_for(lambda _: False))
    await asyncio.sleep(0)
    own_ovs.kill("ovsdb-server")
    async with asyncio.timeout(PATIENCE):
        assert isinstance(await connection.wait_closed(), OvsdbLost)
    with pytest.raises(OvsdbLost):
        await waiting
    with pytest.raises(OvsdbLost):
        await connection.transact([])
    own_ovs.start_ovsdb()
    new = await OvsdbConnection.connect(own_ovs.db)
    again = RowDriver(new)
    again.want(ALL)
    assert not again.plan(delete=True)
    await new.close()


async def test_no_server_at_all(own_ovs: Sandbox) -> None:
    with pytest.raises(OvsdbLost, match="nothing-here"):
        await OvsdbConnection.connect(own_ovs.folder / "nothing-here")


async def test_a_bridge_that_was_there_before_us_is_used_and_never_deleted(
    driver: RowDriver, connection: OvsdbConnection, own_ovs: Sandbox
) -> None:
    own_ovs.add_bridge("br-a")
    await wait_for(connection, lambda replica: replica.bridge("br-a") is not None)
    driver.want(ALL)
    await driver.apply(delete=True, wait=True)
    assert not driver.plan(delete=True), "as it should be, without our mark"
    driver.want([])
    await driver.apply(delete=True, wait=True)
    view = OvsView(connection.replica)
    assert view.bridges().keys() == {"br-a"}
    assert view.ports("br-a").keys() == {"br-a"}
