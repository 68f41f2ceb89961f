"""The command lines of switches, as data (`dialects.toml`): what to say for a step, and what an answer says.  Pure."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct

from netweft.plugins.mechanisms.switches import desired
from netweft.plugins.mechanisms.switches.acl_lines import AclWords
from netweft.plugins.mechanisms.switches.acl_terms import TermWords
from netweft.plugins.mechanisms.switches.desired import parts
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.netconf_lines import Schema
from netweft.reconcile.plan import Step

_MODAL: Final = ("tagged", "untagged", "native")  # what depends on whether a port is a trunk
_RANGE: Final = re.compile(r"(\d+)(?:(?:-|\.\.| to )(\d+))?")


class Dialect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How dialects.toml describes one."""

    how: str
    set: Mapping[str, Sequence[str]]
    unset: Mapping[str, Sequence[str]]
    read: Mapping[str, str]
    like: str = ""
    program: str = ""
    enable: bool = False
    first: Sequence[str] = ()
    enter: Sequence[str] = ()
    leave: Sequence[str] = ()
    commit: Sequence[str] = ()
    abort: Sequence[str] = ()
    save: Sequence[str] = ()
    refused: str = "(?!)"
    bond: str = "(?!)"
    mlag: Sequence[str] = ()
    unused: Sequence[str] = ()
    asked: Sequence[str] = ()
    schema: Schema = Schema()
    acl: AclWords | TermWords = AclWords()

    @property
    def ways(self) -> frozenset[str]:
        return frozenset(way for way, lines in self.set.items() if lines) | self.acl.ways

    def say(self, step: Step, switch: Switch) -> list[str]:
        """The lines for one step.  An access port that nobody uses any more gets the switch's default VLAN."""
        way, port, vid = parts(str(step.key))
        value = step.was if step.now is None else step.now
        gone = step.now is None
        if way in ("untagged", "native"):
            vid = int(value)
            if gone and switch.default_vlan is not None:
                way, vid, gone = "untagged", switch.default_vlan, False
        name = value if way == "vlan" else ""
        lines = list((self.unset if gone else self.set)[way])
        if way == "bond" and value and not gone:
            lines += self.mlag
        words = {"vid": vid, "name": name} | self._words(port, switch)
        if way in ("bond", "member"):
            words |= {"number": value, "mlag": value}
            words["bond"] = next((one for one in switch.bonds if desired.number(one) == value), "")
        return [f"{self.program} {line}".lstrip().format(**words) for line in lines]

    def idle(self, port: str, switch: Switch) -> list[str]:
        """The lines for a port that has no VLAN left: else it would carry all, or stay what it was."""
        return [line.format(**self._words(port, switch)) for line in self.unused]

    def asks(self, switch: Switch) -> list[str]:
        """What to read, where that is no command."""
        return [line.format(**self._words("", switch)) for line in self.asked]

    def _words(self, port: str, switch: Switch) -> dict[str, Any]:
        return {
            "port": port,
            "kind": "aggregation" if port in switch.bonds or re.match(self.bond, port) else "ethernet",
            "instance": switch.option("ngs_openconfig_network_instance") or "default",
        }

    def at_once(self, lines: Sequence[str]) -> str:
        """Of a dialect with a program: all as one command."""
        return f"{self.program} {' -- '.join(line.removeprefix(self.program).strip() for line in lines)}"

    def understand(self, answer: str) -> dict[str, Any]:
        """key -> value, of all that it says; `all PORT`: a trunk without a list of VLANs."""
        reading = _Reading({kind: re.compile(text) for kind, text in self.read.items() if kind != "command"})
        for line in answer.splitlines():
            reading.take(line.rstrip())
        return reading.found() | dict(self.acl.understand(answer).said())

    def having(self, found: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
        """What of these keys is there."""
        there = {key: found[key] for key in keys if key in found}
        for way, port, vid in map(parts, keys):
            if way == "tagged" and f"all {port}" in found:
                there[desired.tagged(port, vid)] = True
            elif way == "enabled" and found.get(desired.enabled(port)) is None:
                there[desired.enabled(port)] = True
        return there


class _Reading:
    """What is being read belongs to the port or the VLAN whose line came last, unless its own line says."""

    def __init__(self, patterns: Mapping[str, re.Pattern[str]]) -> None:
        self._patterns = patterns
        self._port, self._vids = "", list[int]()
        self._values: dict[str, Any] = {}
        self._access: set[str] = set()
        self._all: set[str] = set()
        self._listed: set[str] = set()

    def take(self, line: str) -> None:
        for kind, pattern in self._patterns.items():
            if found := pattern.search(line):
                getattr(self, f"_{kind}_line")(found.groupdict())

    def found(self) -> dict[str, Any]:
        """An access port's VLAN is no tagged one.  Where trunks say that they are, what they would have as access ports
        does not count, and the other way round."""
        values: dict[str, Any] = {f"all {port}": True for port in self._all - self._listed}
        for key, value in self._values.items():
            way, port, vid = parts(key)
            if way == "tagged" and port in self._access:
                values[desired.untagged(port)] = vid
            elif way not in _MODAL or "all" not in self._patterns or self._holds(way, port):
                values[key] = value
        return values

    def _holds(self, way: str, port: str) -> bool:
        return (way == "untagged") != (port in self._all)

    def _port_line(self, said: Mapping[str, str]) -> None:
        self._port, self._vids = said["port"], []

    def _vlan_line(self, said: Mapping[str, str]) -> None:
        self._port, self._vids = "", list(vids(said["vids"]))
        for vid in self._vids:
            self._values[desired.vlan_key(vid)] = said.get("name") or self._values.get(desired.vlan_key(vid), "")

    def _name_line(self, said: Mapping[str, str]) -> None:
        for vid in self._vids:
            self._values[desired.vlan_key(vid)] = said["name"].strip()

    def _tagged_line(self, said: Mapping[str, str]) -> None:
        port = said.get("port") or self._port
        self._listed.add(port)
        for vid in vids(said["vids"]):
            self._values[desired.tagged(port, vid)] = True

    def _untagged_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.untagged(said.get("port") or self._port)] = int(said["vids"])

    def _native_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.native(said.get("port") or self._port)] = int(said["vids"])

    def _bond_line(self, said: Mapping[str, str]) -> None:
        self._values.setdefault(desired.bond(said["port"]), 0)

    def _mlag_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.bond(said.get("port") or self._port)] = int(said["mlag"])

    def _member_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.member(said.get("port") or self._port)] = int(said["number"])

    def _all_line(self, said: Mapping[str, str]) -> None:
        self._all.add(said.get("port") or self._port)

    def _access_line(self, said: Mapping[str, str]) -> None:
        self._access.add(said.get("port") or self._port)

    def _shut_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.enabled(said.get("port") or self._port)] = False


def vids(text: str) -> Iterator[int]:
    """`1,5-7`, `1 5 to 7`; anything else is none."""
    for found in _RANGE.finditer(text):
        yield from range(int(found[1]), min(int(found[2] or found[1]), 4095) + 1)


@cache
def dialects() -> Mapping[str, Dialect]:
    """By `device_type`."""
    text = files(__package__).joinpath("dialects.toml").read_text()
    tables = tomllib.loads(text)
    return {name: _dialect(tables, name) for name in tables}


def _dialect(tables: Mapping[str, Any], name: str) -> Dialect:
    own = dict(tables[name])
    base = dict(tables[own["like"]]) if "like" in own else {}
    nested = {key: {**base.get(key, {}), **own.get(key, {})} for key in ("set", "unset", "read")}
    return msgspec.convert({**base, **own, **nested}, Dialect)
