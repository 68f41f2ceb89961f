"""`netweft import`, on what a real Neutron 29 wrote (tests/importing): its API's answers say what has to be there."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.api.network.conftest import Api, MakeApi

from netweft.cli.commands import cli
from netweft.importing import neutron_db
from netweft.importing.cloud import Unreadable
from netweft.importing.run import taken_over
from netweft.settings import ServerSettings
from netweft.store import Object

RECORDED = Path(__file__).parents[2] / "importing"
WIRES: Mapping[str, Any] = {"vlan_ranges": ("physnet1",), "flat_networks": ("public",)}
# the same object at another time, what only one of the two has, and what is compared by itself
_OTHERWISE = frozenset(
    {
        "security_group_rules",
        "created_at",
        "updated_at",
        "revision_number",
        "status",
        "l2_adjacency",
        "resource_request",
        "dns_assignment",
    }
)
PATHS = {
    "address_scopes": "/address-scopes",
    "subnetpools": "/subnetpools",
    "policies": "/qos/policies",
    "networks": "/networks",
    "subnets": "/subnets",
    "address_groups": "/address-groups",
    "security_groups": "/security-groups",
    "security_group_rules": "/security-group-rules",
    "ports": "/ports",
    "trunks": "/trunks",
    "routers": "/routers",
    "floatingips": "/floatingips",
    "metering_labels": "/metering/metering-labels",
    "metering_label_rules": "/metering/metering-label-rules",
}


_OPTIONS = ("--vlan-ranges", "physnet1", "--flat-networks", "public")


@pytest.fixture(scope="module")
def neutron(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("neutron") / "neutron.db"
    with sqlite3.connect(file) as database:
        database.executescript((RECORDED / "neutron.sql").read_text())
    return f"sqlite:///{file}"


@pytest.fixture
def settings(url: str, tmp_path: Path) -> ServerSettings:
    return ServerSettings(database=url, state_dir=str(tmp_path / "state"), **WIRES)


def _comparable(value: Any) -> Any:
    """Lists of the API are sets, but for those of name servers."""
    if isinstance(value, dict):
        return {name: _comparable(one) for name, one in value.items()}
    return sorted(map(_comparable, value), key=json.dumps) if isinstance(value, list) else value


def differences(theirs: Object, ours: Object) -> dict[str, tuple[Any, Any]]:
    shared = (theirs.keys() & ours.keys()) - _OTHERWISE
    said = {name: (_comparable(theirs[name]) or None, _comparable(ours[name]) or None) for name in shared}
    if ours.get("device_owner") == "trunk:subport":  # there an agent would have written it, and there was none
        del said["device_owner"]
    return {name: both for name, both in said.items() if both[0] != both[1]}


def test_each_object_is_what_neutrons_api_says(settings: ServerSettings, neutron: str, make_api: MakeApi) -> None:
    cloud = neutron_db.read(neutron)
    outcomes = list(taken_over(cloud, settings, dry_run=False))
    assert [one for one in outcomes if one.state == "refused"] == []
    api, recorded = make_api(**WIRES), json.loads((RECORDED / "neutron.json").read_text())
    found: dict[str, Any] = {}
    for kind, path in PATHS.items():
        ours = {one["id"]: one for one in api.get("admin", path)[kind]}
        for theirs in recorded[kind]:
            if theirs["id"] not in ours:
                found[f"{kind} {theirs['id']}"] = (theirs.get("name"), "is not there")
            elif other := differences(theirs, ours[theirs["id"]]):
                found[f"{kind} {theirs['id']}"] = other
    assert found == {}


def test_what_is_there_stays_and_an_import_can_be_run_again(
    settings: ServerSettings, neutron: str, make_api: MakeApi
) -> None:
    cloud = neutron_db.read(neutron)
    assert {one.state for one in taken_over(cloud, settings, dry_run=False)} >= {"new"}
    api = make_api(**WIRES)
    name = next(port for port in api.get("admin", "/ports")["ports"] if port["name"] == "vm1")
    api("admin", "PUT", f"/ports/{name['id']}", {"port": {"name": "renamed"}})
    again = list(taken_over(cloud, settings, dry_run=False))
    assert {one.state for one in again if one.kind != "quota"} == {"there"}
    assert api.get("admin", f"/ports/{name['id']}")["port"]["name"] == "renamed"


def test_a_dry_run_says_the_same_and_writes_nothing(settings: ServerSettings, neutron: str, api: Api) -> None:
    before = api.get("admin", "/networks")
    tried = list(taken_over(neutron_db.read(neutron), settings, dry_run=True))
    assert [one.state for one in tried if one.state == "refused"] == []
    assert len(tried) > 40
    assert api.get("admin", "/networks") == before


def test_what_is_refused_is_named_with_the_reason_and_the_rest_comes(settings: ServerSettings, neutron: str) -> None:
    """No VLANs here: the network on one is refused, and what needs it."""
    without = ServerSettings(database=settings.database, state_dir=settings.state_dir, flat_networks=("public",))
    refused = [one for one in taken_over(neutron_db.read(neutron), without, dry_run=True) if one.state == "refused"]
    assert [(one.kind, one.name) for one in refused if "physnet1" in one.why] == [("network", "wire")]
    assert {one.kind for one in refused} == {"network", "subnet", "rbac_policy", "port", "router interface"}


def test_what_is_in_the_way_of_it_is_named(settings: ServerSettings, neutron: str, api: Api) -> None:
    """In a database that is not empty: an address of what came before is somebody else's by now."""
    list(taken_over(neutron_db.read(neutron), settings, dry_run=False))
    (vm,) = api.get("admin", "/ports?name=vm1")["ports"]
    for path in ("/trunks", "/floatingips"):
        for one in api.get("admin", path)[path.strip("/")]:
            api("admin", "DELETE", f"{path}/{one['id']}")
    api("admin", "DELETE", f"/ports/{vm['id']}")
    again = {"network_id": vm["network_id"], "name": "squatter", "fixed_ips": vm["fixed_ips"][:1]}
    taken = api("admin", "POST", "/ports", {"port": again}).json()["port"]
    refused = {one.id: one.why for one in taken_over(neutron_db.read(neutron), settings, dry_run=True) if one.why}
    assert refused[vm["id"]].endswith(f" port {taken['id']} (squatter) has it."), refused


def test_a_wire_that_is_in_use_names_by_whom(settings: ServerSettings, neutron: str, make_api: MakeApi) -> None:
    api = make_api(**WIRES)
    vlan, vni = (
        {"provider:network_type": kind, "provider:segmentation_id": number, "name": f"mine{number}", **more}
        for kind, number, more in (("vlan", 142, {"provider:physical_network": "physnet1"}), ("vxlan", 1713, {}))
    )
    mine = {name: api("admin", "POST", "/networks", {"network": one}).json()["network"]["id"]
            for name, one in (("wire", vlan), ("web", vni))}  # fmt: skip
    refused = [one for one in taken_over(neutron_db.read(neutron), settings, dry_run=True) if one.state == "refused"]
    why = {one.name: one.why for one in refused if one.kind == "network"}
    assert why["wire"].endswith(f"in use. network {mine['wire']} (mine142) has it."), why
    assert why["web"].endswith(f"in use. network {mine['web']} (mine1713) has it."), why


@pytest.mark.parametrize(
    "breaks",
    [
        "UPDATE ml2_port_bindings SET profile = '{'",
        "ALTER TABLE subnets DROP COLUMN enable_dhcp",
    ],
)
def test_what_is_half_broken_is_said_in_one_line(neutron: str, tmp_path: Path, breaks: str) -> None:
    copy = tmp_path / "broken.db"
    shutil.copy(neutron.removeprefix("sqlite:///"), copy)
    with sqlite3.connect(copy) as database:
        database.execute(breaks)
    with pytest.raises(Unreadable, match=r"^[^\n]*not as Neutron writes it[^\n]*$"):
        neutron_db.read(f"sqlite:///{copy}")


def test_what_is_left_out_is_named(settings: ServerSettings, neutron: str, tmp_path: Path) -> None:
    copy = tmp_path / "more.db"
    shutil.copy(neutron.removeprefix("sqlite:///"), copy)
    with sqlite3.connect(copy) as database:
        ((port, subnet),) = database.execute(
            "SELECT ports.id, subnets.id FROM ports, subnets WHERE ports.name = 'vm1' LIMIT 1"
        )
        database.execute("INSERT INTO logs (id, name) VALUES ('log-1', 'what came')")
        database.execute("INSERT INTO subnet_service_types VALUES (?, 'compute:nova')", (subnet,))
        database.execute("INSERT INTO portuplinkstatuspropagation VALUES (?, 1)", (port,))  # as where nothing is said
        database.execute("INSERT INTO porttrusted VALUES (?, 1)", (port,))
        database.execute("INSERT INTO portnumaaffinitypolicies VALUES (?, 'required')", (port,))
    cloud = neutron_db.read(f"sqlite:///{copy}")
    named = {(kind, id) for kind, id, _ in cloud.left_out}
    assert {("log", "log-1 (what came)"), ("service_types of subnet", subnet), ("trusted of port", port)} <= named
    assert ("propagate_uplink_status of port", port) not in named
    assert next(one for one in cloud.objects["ports"] if one["id"] == port)["numa_affinity_policy"] == "required"
    run = CliRunner().invoke(
        cli, ["import", "--neutron-db", f"sqlite:///{copy}", "--dry-run", *_OPTIONS, "--database", settings.database]
    )
    assert "left out  log log-1 (what came): " in run.output, run.output


def test_as_a_command(settings: ServerSettings, neutron: str) -> None:
    options = ["--database", settings.database, "--state-dir", settings.state_dir]
    run = CliRunner().invoke(cli, ["import", "--neutron-db", neutron, "--dry-run", *options, *_OPTIONS])
    assert run.exit_code == 0, run.output
    assert "security_group_rule" in run.output


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not understood"),
        ("sqlite:////nowhere/at/all.db", "unable to open"),
        ("sqlite:///:memory:", "no database of Neutron's"),
    ],
)
def test_what_is_no_neutron(url: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        neutron_db.read(url)
