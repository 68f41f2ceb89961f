"""A switch that Faucet drives by OpenFlow: VLANs of its interfaces, and ACLs, in Faucet's configuration file.

The file is written anew and exchanged in one step; Faucet reads it again at SIGHUP (`netweft_pid_file`), or by itself
when it runs with FAUCET_CONFIG_STAT_RELOAD=1.  Everything else in it stays as it is, but for comments.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches import acls, faucet_acls
from netweft.plugins.mechanisms.switches.desired import parts
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.switch import refuse
from netweft.reconcile.plan import Step

NATIVE: Final = "native_vlan"
TAGGED: Final = "tagged_vlans"
_NO_VLAN: Final = "Faucet takes no switch without a VLAN: {} would have none"


class FaucetSwitch:
    ways = frozenset({"tagged", "untagged", acls.IN, acls.OUT})

    def __init__(self, switch: Switch, changed: Callable[[], None]) -> None:
        """Raises SettingsError."""
        self._switch = switch
        self._name = switch.option("netweft_dp", switch.name)
        config, pid = switch.option("netweft_config"), switch.option("netweft_pid_file")
        if not config.startswith("/"):
            raise refuse(switch, "netweft_config", "the file of Faucet that has the switch in it, as an absolute path")
        self._config, self._pid = Path(config), Path(pid) if pid else None
        self._turn = asyncio.Lock()

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        async with self._turn:
            found = await asyncio.to_thread(self._load)
        values = {key: found.acl(key) if acls.is_acl(key) else found.value(key) for key in keys}
        return {key: value for key, value in values.items() if value is not None}

    def commands(self, steps: Sequence[Step]) -> list[str]:
        """What changes in the file."""
        return [_said(self._name, step) for step in steps]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        async with self._turn:
            return await asyncio.to_thread(self._written, steps)

    def shows(self, key: str, value: Mapping[str, Any], said: Any) -> bool:
        return bool(faucet_acls.wanted(key, value) == said)

    async def close(self) -> None:
        """There is nothing to close."""

    def _written(self, steps: Sequence[Step]) -> dict[str, str]:
        found = self._load()
        refused = {str(step.key): why for step in steps if (why := found.take(step, self._switch.default_vlan))}
        if not found.has_vlans():
            return {str(step.key): _NO_VLAN.format(self._name) for step in steps} | refused
        try:
            _exchange(self._config, yaml.safe_dump(found.document, sort_keys=False))
        except OSError as error:
            raise Unreachable(f"{self._config}: {error.strerror}") from None
        self._tell()
        return refused

    def _load(self) -> "_Config":
        """Raises Unreachable."""
        try:
            document = yaml.safe_load(self._config.read_text())
            return _Config(document, self._name)
        except OSError as error:
            raise Unreachable(f"{self._config}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Unreachable(f"{self._config}: {str(error).splitlines()[0]}") from None
        except (KeyError, TypeError):
            raise Unreachable(f"{self._config} has no dp {self._name}") from None

    def _tell(self) -> None:
        """One that is not there reads the file when it starts."""
        if self._pid is not None:
            with suppress(OSError, ValueError):
                os.kill(int(self._pid.read_text()), signal.SIGHUP)


class _Config:
    """document: the whole file.  name: of the switch in it."""

    def __init__(self, document: dict[str, Any], name: str) -> None:
        self.document, self._name = document, name
        self._interfaces: dict[Any, Any] = document["dps"][name].setdefault("interfaces", {})
        vlans = document.get("vlans") or {}
        self._vids = {name: vlan.get("vid", name) for name, vlan in vlans.items() if isinstance(vlan, dict)}

    def value(self, key: str) -> Any:
        """None: it is not there."""
        way, port, vid = parts(key)
        interface = self._interface(port)
        if interface is None:
            return None
        if way == "untagged":
            return self._vid(interface.get(NATIVE))
        return True if vid in self._tagged(interface) else None

    def acl(self, key: str) -> Any:
        """None: it is not there."""
        return faucet_acls.there(self.document, self._interface(parts(key)[1]), faucet_acls.name_of(self._name, key))

    def take(self, step: Step, default_vlan: int | None) -> str:
        """Why not; empty when it is done."""
        if acls.is_acl(key := str(step.key)):
            what = None if step.now is None else faucet_acls.wanted(key, step.now)
            name = faucet_acls.name_of(self._name, key)
            return faucet_acls.put(self.document, self._interface(parts(key)[1]), name, what)
        way, port, vid = parts(str(step.key))
        interface = self._interface(port)
        if interface is None:
            return "" if step.now is None else f"there is no interface {port}"
        if way == "untagged":
            native = default_vlan if step.now is None else step.now
            _set(interface, NATIVE, native)
            return ""
        left = [one for one in interface.get(TAGGED) or () if self._vid(one) != vid]
        _set(interface, TAGGED, left if step.now is None else [*left, vid])
        return ""

    def has_vlans(self) -> bool:
        return any(one.get(NATIVE) or one.get(TAGGED) for one in self._interfaces.values() if isinstance(one, dict))

    def _interface(self, port: str) -> dict[str, Any] | None:
        """By its name, or by its number."""
        named = [key for key, one in self._interfaces.items() if isinstance(one, dict) and one.get("name") == port]
        numbered = [key for key in self._interfaces if str(key) == port]
        for key in (*named, *numbered):
            if self._interfaces[key] is None:
                self._interfaces[key] = {}
            found: dict[str, Any] = self._interfaces[key]
            return found
        return None

    def _tagged(self, interface: Mapping[str, Any]) -> set[int | None]:
        return {self._vid(one) for one in interface.get(TAGGED) or ()}

    def _vid(self, vlan: Any) -> int | None:
        """Faucet's files name VLANs, or say their number."""
        found = self._vids.get(vlan, vlan)
        return found if isinstance(found, int) else None


def _set(interface: dict[str, Any], name: str, value: Any) -> None:
    if value:
        interface[name] = value
    else:
        interface.pop(name, None)


def _exchange(path: Path, text: str) -> None:
    """With the mode and the owner that it has."""
    status, new = path.stat(), path.with_name(f".{path.name}.netweft")
    try:
        new.touch(mode=0o600)
        os.chown(new, status.st_uid, status.st_gid)
        new.chmod(status.st_mode)
        new.write_text(text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _said(name: str, step: Step) -> str:
    way, port, vid = parts(str(step.key))
    if acls.is_acl(str(step.key)):
        rules = "none" if step.now is None else len(faucet_acls.wanted(str(step.key), step.now)["rules"])
        return f"acls.{faucet_acls.name_of(name, str(step.key))}: {rules} rules"
    where = f"dps.{name}.interfaces.{port}"
    if way == "untagged":
        return f"{where}.{NATIVE}: {step.now if step.now is not None else 'none'}"
    return f"{where}.{TAGGED}: {'-' if step.now is None else '+'}{vid}"
