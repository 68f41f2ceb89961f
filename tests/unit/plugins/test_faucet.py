"""VLANs in Faucet's configuration file: only what is ours changes, and what Faucet would not take is not written."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweft.plugins.mechanisms import KIND, Unreachable
from netweft.plugins.mechanisms.switches.faucet import FaucetSwitch
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError

FILE = """\
acls: {deny: [{rule: {actions: {allow: 0}}}]}
vlans:
  office: {vid: 100, description: the office}
dps:
  campus:
    dp_id: 0x1
    hardware: Open vSwitch
    interfaces:
      1: {name: hv1, tagged_vlans: [office]}
      2: {acl_in: deny}
      3:
  other:
    dp_id: 2
    interfaces:
      1: {native_vlan: office}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "faucet.yaml"
    file.write_text(FILE)
    file.chmod(0o640)
    return file


def driver(config: Path, **options: str) -> FaucetSwitch:
    said = {"netweft_config": str(config), **options}
    names = frozenset({"campus"})
    return FaucetSwitch(Switch(name="campus", device_type="faucet", names=names, options=said), lambda: None)


def apply(driver: FaucetSwitch, *steps: tuple[str, Any, Any]) -> dict[str, str]:
    return dict(asyncio.run(driver.apply([Step(KIND, *one) for one in steps])))


def read(driver: FaucetSwitch, *keys: str) -> dict[str, Any]:
    return dict(asyncio.run(driver.read(keys, anew=True)))


def test_what_is_there_by_name_and_by_number(config: Path) -> None:
    keys = ("tagged hv1 100", "tagged 1 100", "tagged hv1 101", "untagged 2", "tagged nowhere 100")
    assert read(driver(config), *keys) == {"tagged hv1 100": True, "tagged 1 100": True}


def test_vlans_come_and_go_and_the_rest_stays(config: Path) -> None:
    switch = driver(config)
    assert apply(switch, ("tagged hv1 101", None, True), ("untagged 2", None, 102), ("tagged 3 101", None, True)) == {}
    written = yaml.safe_load(config.read_text())
    assert written["dps"]["campus"]["interfaces"] == {
        1: {"name": "hv1", "tagged_vlans": ["office", 101]},
        2: {"acl_in": "deny", "native_vlan": 102},
        3: {"tagged_vlans": [101]},
    }
    assert read(switch, "tagged hv1 101", "untagged 2") == {"tagged hv1 101": True, "untagged 2": 102}
    assert apply(switch, ("tagged hv1 101", True, None), ("untagged 2", 102, None), ("tagged 3 101", True, None)) == {}
    before, after = yaml.safe_load(FILE), yaml.safe_load(config.read_text())
    before["dps"]["campus"]["interfaces"][3] = {}
    assert after == before
    assert config.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in config.parent.iterdir()] == ["faucet.yaml"]


def test_an_interface_that_is_not_there_is_named(config: Path) -> None:
    assert apply(driver(config), ("tagged 9 101", None, True)) == {"tagged 9 101": "there is no interface 9"}


def test_what_faucet_would_refuse_is_not_written(config: Path) -> None:
    refused = apply(driver(config), ("tagged hv1 100", True, None))
    assert refused == {"tagged hv1 100": "Faucet takes no switch without a VLAN: campus would have none"}
    assert config.read_text() == FILE


@pytest.mark.parametrize(
    ("text", "says"), [("dps: {}", "has no dp campus"), ("[", "faucet.yaml: "), ("", "has no dp campus")]
)
def test_a_file_that_is_none(config: Path, text: str, says: str) -> None:
    config.write_text(text)
    with pytest.raises(Unreachable, match=says):
        read(driver(config), "tagged hv1 100")


def test_it_has_to_be_said_where_the_file_is(config: Path) -> None:
    with pytest.raises(SettingsError, match="netweft_config"):
        driver(Path("faucet.yaml"))


def test_a_file_that_is_not_there(config: Path) -> None:
    config.unlink()
    with pytest.raises(Unreachable, match="No such file"):
        read(driver(config), "tagged hv1 100")
