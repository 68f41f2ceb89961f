"""Databases of earlier versions: what they kept is there in the form of today."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import insert

from netweft.control import rbac
from netweft.control.l3 import wire_hosts
from netweft.model.router import ANSWERS_ON
from netweft.store import Claim, Object, Query, Store
from netweft.store.engine import MIGRATIONS, NEWEST, connect
from netweft.store.schema import LOOKED_UP, claims, objects


def at(url: str, revision: str) -> None:
    """The tables as they were."""
    engine = connect(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


class Earlier:
    """Writes rows into tables that have not all columns of today: without a change log."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def insert(self, kind: str, object: Object, *held: Claim) -> None:
        columns = {column: object.get(attribute) for attribute, column in LOOKED_UP.items()}
        with self._engine.begin() as connection:
            connection.execute(insert(objects).values(kind=kind, id=object["id"], attrs=object, **columns))
            for scope, value in held:
                connection.execute(insert(claims).values(scope=scope, value=value, kind=kind, id=object["id"]))

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def each_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Without a table yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/netweft.db"
    cluster: Path = request.getfixturevalue("cluster")
    with psycopg.connect(f"postgresql://postgres@/postgres?host={cluster}", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS earlier")
        connection.execute("CREATE DATABASE earlier")
    return f"postgresql+psycopg://postgres@/earlier?host={cluster}"


def test_what_was_shared_by_an_attribute_has_an_entry(each_url: str) -> None:
    at(each_url, "0003")
    old = Earlier(each_url)
    for id, shared in (("open", True), ("both", True), ("own", False)):
        old.insert("networks", {"id": id, "project_id": "red", "shared": shared, "name": id})
    both = {"object_type": "network", "object_id": "both", "action": "access_as_shared", "target_tenant": "*"}
    claim = Claim("rbac:network:both", "access_as_shared:*")
    old.insert("rbac_policies", {"id": "entry", "project_id": "red"} | both, claim)
    old.insert("policies", {"id": "gold", "project_id": "admins", "shared": True})
    old.insert("subnetpools", {"id": "pool", "project_id": "red", "shared": True})
    old.insert("network_segment_ranges", {"id": "range", "shared": True})
    old.close()
    new = Store.open(each_url)
    with new.write() as tx:
        assert {kind: rbac.shared_with(tx, kind, "blue") for kind in ("networks", "policies", "subnetpools")} == {
            "networks": {"open", "both"},
            "policies": {"gold"},
            "subnetpools": {"pool"},
        }
        assert tx.count("rbac_policies", {}) == 4
        assert "shared" not in (tx.get("networks", "open") or {})
        assert (tx.get("network_segment_ranges", "range") or {})["shared"] is True
        (entry,) = tx.query("rbac_policies", Query({"object_id": ["pool"]}))
        assert (entry["project_id"], entry["target_tenant"], entry["revision_number"]) == ("red", "*", 1)
    new.close()


def test_what_was_external_by_an_attribute_has_an_entry(each_url: str) -> None:
    at(each_url, "0004")
    old = Earlier(each_url)
    for id, external in (("out", True), ("in", False)):
        old.insert("networks", {"id": id, "project_id": "red", "router:external": external, "is_default": external})
    old.insert("networks", {"id": "old", "project_id": "red"})
    old.close()
    new = Store.open(each_url)
    with new.write() as tx:
        assert rbac.shared_with(tx, "networks", "blue", rbac.EXTERNAL) == {"out"}
        assert rbac.shared_with(tx, "networks", "blue") == set()
        (entry,) = tx.query("rbac_policies", Query())
        assert (entry["project_id"], entry["target_tenant"], entry["revision_number"]) == ("red", "*", 1)
        with pytest.raises(rbac.RbacPolicyInUse):
            rbac.RbacPolicies().delete(tx, entry)
    new.close()


def test_interfaces_on_wires_wait_for_a_host_that_answers(each_url: str) -> None:
    at(each_url, "0009")
    old = Earlier(each_url)
    for id, physical in (("wired", "physnet1"), ("overlay", None)):
        old.insert("networks", {"id": id, "provider:physical_network": physical})
        router = {"network_id": id, "device_owner": "network:router_interface", "device_id": "r"}
        old.insert("ports", {"id": f"router's on {id}", **router})
        old.insert("ports", {"id": f"vm's on {id}", "network_id": id, "device_owner": "compute:nova"})
    old.close()
    new = Store.open(each_url)
    with new.read() as tx:
        assert tx.held(wire_hosts.scope("")).keys() == {"router's on wired"}
        kept = {port["id"]: port.get(ANSWERS_ON) for port in tx.query("ports")}
        assert {id for id, host in kept.items() if host is not None} == {"router's on wired"}
    new.close()


def test_vips_on_wires_wait_for_a_host_that_answers(each_url: str) -> None:
    at(each_url, "0013")
    old = Earlier(each_url)
    for id, physical in (("wired", "physnet1"), ("overlay", None)):
        old.insert("networks", {"id": id, "provider:physical_network": physical})
        old.insert("ports", {"id": f"vip on {id}", "network_id": id, "device_owner": "Octavia"})
        old.insert("ports", {"id": f"said to be one on {id}", "network_id": id, "device_owner": "Octavia"})
        old.insert("loadbalancers", {"id": f"b on {id}", "vip_port_id": f"vip on {id}"})
    old.close()
    new = Store.open(each_url)
    with new.read() as tx:
        assert tx.held(wire_hosts.scope("")).keys() == {"vip on wired"}
        assert {port["id"] for port in tx.query("ports") if port.get(ANSWERS_ON) is not None} == {"vip on wired"}
    new.close()


def test_the_newest_schema_is_known_without_alembic() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST]


def test_a_later_start_waits_for_nothing_that_only_others_need(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/netweft.db"
    Store.open(url).close()
    look = "import sys, netweft.server.run as run; run.Store.open(sys.argv[1]).close(); print(*sys.modules)"
    there = subprocess.run([sys.executable, "-c", look, url], check=True, capture_output=True, text=True).stdout.split()
    assert "sqlite3" in there
    assert not {"alembic", "psycopg", "keystoneauth1"} & set(there)
