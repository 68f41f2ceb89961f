"""`netweft import --ovn-nb`, on the northbound database that a real Neutron 29 wrote by ML2/OVN (tests/importing): the
answers of its API say what has to be there, but for what a northbound does not know."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.api.network.conftest import MakeApi
from tests.api.network.test_import import PATHS, RECORDED, WIRES, differences

from netweft.cli.commands import cli
from netweft.importing import ovn_nb
from netweft.importing.cloud import Unreadable
from netweft.importing.run import taken_over
from netweft.settings import ServerSettings
from netweft.store import Object

pytestmark = pytest.mark.skipif(shutil.which("ovsdb-server") is None, reason="needs ovsdb-server")

KINDS = ("networks", "subnets", "address_groups", "security_groups", "security_group_rules", "ports", "routers")
# kind -> what a northbound does not say; ids of these are made, too, where there is None
_UNKNOWN: Mapping[str, frozenset[str]] = {
    "networks": frozenset({"description", "tags", "shared", "provider:segmentation_id"})
    | {"qos_policy_id", "ipv4_address_scope"},
    "subnets": frozenset({"name", "tags", "subnetpool_id", "allocation_pools"}),
    "address_groups": frozenset({"name"}),
    "security_groups": frozenset({"name", "description", "is_default", "project_id", "tenant_id"}),
    "security_group_rules": frozenset({"project_id", "tenant_id", "belongs_to_default_sg"}),
    "ports": frozenset({"tags", "qos_policy_id", "qos_network_policy_id", "trunk_details"}),
    "routers": frozenset({"distributed", "ha"}),
}
_NOT_THERE = frozenset({"network:distributed", "network:floatingip"})


@pytest.fixture(scope="module")
def northbound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nb")
    shutil.copy(RECORDED / "northbound.db", folder / "nb.db")
    words = ("ovsdb-server", folder / "nb.db", f"--remote=punix:{folder}/sock", f"--unixctl={folder}/ctl")
    with subprocess.Popen((*words, "-vconsole:off")) as server:
        end = time.monotonic() + 20
        while not (folder / "sock").exists() and time.monotonic() < end:
            time.sleep(0.02)
        yield f"unix:{folder}/sock"
        server.kill()


@pytest.fixture
def settings(url: str, tmp_path: Path) -> ServerSettings:
    return ServerSettings(database=url, state_dir=str(tmp_path / "state"), **WIRES)


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / "northbound.json").read_text())
    return found


def test_each_object_is_what_neutrons_api_says(settings: ServerSettings, northbound: str, make_api: MakeApi) -> None:
    outcomes = list(taken_over(ovn_nb.read(northbound), settings, dry_run=False))
    assert [one for one in outcomes if one.state == "refused"] == []
    api, said = make_api(**WIRES), recorded()
    found: dict[str, Any] = {}
    for kind in KINDS:
        ours = {one["id"]: one for one in api.get("admin", PATHS[kind])[kind]}
        for theirs in said[kind]:
            if theirs.get("device_owner") in _NOT_THERE:
                continue
            if theirs["id"] not in ours:
                found[f"{kind} {theirs['id']}"] = (theirs.get("name"), "is not there")
                continue
            known = {name: value for name, value in theirs.items() if name not in _UNKNOWN[kind]}
            if known.get("device_owner") == "trunk:subport":  # bound when its parent is
                known = {name: value for name, value in known.items() if not name.startswith("binding:")}
            if kind == "subnets" and not known["dns_nameservers"]:  # VMs were told of those in Neutron's settings
                del known["dns_nameservers"]
            if other := differences(known, ours[theirs["id"]]):
                found[f"{kind} {theirs['id']}"] = other
    assert not found, json.dumps(found, indent=1)


def test_floating_ips_forwardings_trunks_and_limits(
    settings: ServerSettings, northbound: str, make_api: MakeApi
) -> None:
    list(taken_over(ovn_nb.read(northbound), settings, dry_run=False))
    api, said = make_api(**WIRES), recorded()
    names = ("floating_ip_address", "floating_network_id", "fixed_ip_address", "port_id", "router_id", "project_id")
    theirs = {one["id"]: one for one in said["floatingips"]}
    for one in api.get("admin", "/floatingips")["floatingips"]:
        assert [one[name] for name in names] == [theirs[one["id"]][name] for name in names]
        forwarded = api.get("admin", f"/floatingips/{one['id']}/port_forwardings")["port_forwardings"]
        assert _without_ids(forwarded) == _without_ids(said["port_forwardings"][one["id"]])
    unused = [one for one in said["floatingips"] if not one["port_id"] and not one["port_forwardings"]]
    assert len(theirs) == len(unused) + 2, "of one that is not used the northbound has nothing"
    (trunk,) = api.get("admin", "/trunks")["trunks"]
    assert (trunk["port_id"], trunk["sub_ports"]) == (said["trunks"][0]["port_id"], said["trunks"][0]["sub_ports"])
    (policy,) = api.get("admin", "/qos/policies")["policies"]
    kinds = {rule["type"]: rule for rule in policy["rules"]}
    assert (kinds["bandwidth_limit"]["max_kbps"], kinds["dscp_marking"]["dscp_mark"]) == (5000, 26)
    limited = {one["name"] for one in api.get("admin", "/ports")["ports"] if one["qos_policy_id"] == policy["id"]}
    assert limited == {"vm1", "vm2", "parent", "inside"}, "by their network's policy, there"


def _without_ids(forwardings: list[Object]) -> list[Object]:
    names = ("protocol", "internal_ip_address", "internal_port_id", "internal_port", "external_port")
    return [{name: one[name] for name in names} for one in forwardings]


def test_again_nothing_is_new(settings: ServerSettings, northbound: str) -> None:
    """Ids that are made are made alike."""
    list(taken_over(ovn_nb.read(northbound), settings, dry_run=False))
    assert {one.state for one in taken_over(ovn_nb.read(northbound), settings, dry_run=False)} == {"there"}


def test_as_a_command(settings: ServerSettings, northbound: str) -> None:
    options = ["--database", settings.database, "--state-dir", settings.state_dir, "--vlan-ranges", "physnet1"]
    run = CliRunner().invoke(
        cli, ["import", "--ovn-nb", northbound, "--dry-run", *options, "--flat-networks", "public"]
    )
    assert run.exit_code == 0, run.output
    for words in ([], ["--ovn-nb", northbound, "--neutron-db", "sqlite://"]):
        run = CliRunner().invoke(cli, ["import", *words])
        assert run.exit_code == 1
        assert "say where from" in str(run.exception)


@pytest.mark.parametrize(
    ("remote", "says"),
    [
        ("nonsense", "not unix:/PATH"),
        ("unix:/nowhere/at/all.sock", "the northbound database: "),
        ("tcp:127.0.0.1:1", "the northbound database: "),
        ("tcp:127.0.0.1", "the northbound database: "),
    ],
)
def test_what_is_no_northbound(remote: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        ovn_nb.read(remote)
