"""The command lines of switches, as data (`dialects.toml`): what to say for a step, and what an answer says.  Pure."""

import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct

from netweft.plugins.mechanisms.switches import desired
from netweft.plugins.mechanisms.switches.acl_lines import AclWords
from netweft.plugins.mechanisms.switches.acl_paths import PathWords
from netweft.plugins.mechanisms.switches.acl_terms import TermWords
from netweft.plugins.mechanisms.switches.desired import parts
from netweft.plugins.mechanisms.switches.inventory import Acls, Switch
from netweft.plugins.mechanisms.switches.netconf_lines import Schema
from netweft.plugins.mechanisms.switches.spelling import Spelling
from netweft.reconcile.plan import Step

_MODAL: Final = ("tagged", "untagged", "native")  # what depends on whether a port is a trunk
TRUNK: Final = "trunk"
_VLAN_WAYS: Final = (*_MODAL, "all")
_PORTS: Final = re.compile(r"(?P<head>[^-]*[^\d-])?(?P<first>\d+)(?:-(?P<last>\d+))?")
_MOST_PORTS: Final = 1024  # of one range
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
    sudo: bool = False
    first: Sequence[str] = ()
    enter: Sequence[str] = ()
    leave: Sequence[str] = ()
    commit: Sequence[str] = ()
    abort: Sequence[str] = ()
    save: Sequence[str] = ()
    refused: str = "(?!)"
    bond: str = "(?!)"
    port: str = ""
    aliases: Mapping[str, str] = {}
    ranges: bool = False
    mlag: Sequence[str] = ()
    closed: Sequence[str] = ()
    unused: Sequence[str] = ()
    asked: Sequence[str] = ()
    schema: Schema = Schema()
    acl: AclWords | TermWords | PathWords = AclWords()

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

    def stays(self, step: Step, found: Mapping[str, Any]) -> bool:
        """Whether it is a VLAN of ours that somebody else has put a port in meanwhile: it is theirs from now on."""
        way, _, vid = parts(str(step.key))
        if way != "vlan" or step.now is not None:
            return False
        return any(value == vid for key, value in found.items() if parts(key)[0] in ("untagged", "native"))

    def looks(self, steps: Sequence[Step]) -> bool:
        """Whether it depends on what is there what has to be said for these."""
        made, gone = any(map(_is_trunks, steps)), any(step.now is None for step in steps)
        return bool(self.closed and made) or bool(self.unused and gone)

    def opens(self, step: Step, switch: Switch, found: Mapping[str, Any]) -> list[str]:
        """The lines before those of a step that makes a trunk of a port that is none: else it would carry more VLANs
        than are wanted on it, all of them on many devices.  found: of `understand`."""
        port = parts(str(step.key))[1]
        if not _is_trunks(step) or f"{TRUNK} {port}" in found:
            return []
        return [line.format(**self._words(port, switch)) for line in self.closed]

    def idle(self, steps: Sequence[Step], switch: Switch, found: Mapping[str, Any]) -> list[str]:
        """The lines for ports that have no VLAN left after these steps: else they would carry all, or stay what they
        were."""
        gone = [(way, port) for way, port, _ in (parts(str(step.key)) for step in steps if step.now is None)]
        gone = [(way, port) for way, port in gone if way in _MODAL]
        defaulted = {port for way, port in gone if way != "tagged" and switch.default_vlan}
        left = {parts(key)[1] for key in after(steps, found) if parts(key)[0] in _VLAN_WAYS}
        empty = sorted({port for _, port in gone} - left - defaulted)
        return [line.format(**self._words(port, switch)) for port in empty for line in self.unused]

    def asks(self, switch: Switch) -> list[str]:
        """What to read, where that is no command."""
        acls = self.acl.asked if isinstance(self.acl, PathWords) and switch.acls == Acls.YES else ()
        return [line.format(**self._words("", switch)) for line in (*self.asked, *acls)]

    def _words(self, port: str, switch: Switch) -> dict[str, Any]:
        return {
            "port": shlex.quote(port) if self.how == "posix" else port,
            "kind": "aggregation" if port in switch.bonds or re.match(self.bond, port) else "ethernet",
            "instance": switch.option("ngs_openconfig_network_instance") or "default",
        }

    def at_once(self, lines: Sequence[str]) -> str:
        """Of a dialect with a program: all as one command."""
        return f"{self.program} {' -- '.join(line.removeprefix(self.program).strip() for line in lines)}"

    def understand(self, answer: str) -> dict[str, Any]:
        """key -> value, of all that it says; `all PORT`: a trunk without a list of VLANs; `trunk PORT`: any trunk."""
        patterns = {kind: re.compile(text) for kind, text in self.read.items() if kind != "command"}
        reading = _Reading(patterns, ranges=self.ranges)
        for line in answer.splitlines():
            reading.take(line.rstrip())
        return reading.found() | dict(self.acl.understand(answer).said())

    def spelling(self, found: Mapping[str, Any], keys: Collection[str]) -> Spelling:
        """How ports of these keys are called by who said what is found."""
        if self.how != "cli":
            return Spelling()
        said = {port for way, port, _ in map(parts, found) if port}
        return Spelling.of({port for _, port, _ in map(parts, keys) if port}, said, self.aliases)

    def having(self, found: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
        """What of these keys is there."""
        spelling = self.spelling(found, keys)
        said = {key: spelling.theirs(key) for key in keys}
        there = {key: found[theirs] for key, theirs in said.items() if theirs in found}
        for key, (way, port, _) in ((key, parts(theirs)) for key, theirs in said.items()):
            is_shown = way == "enabled" and found.get(desired.enabled(port)) is None
            if is_shown or (way == "tagged" and f"all {port}" in found):
                there[key] = True
        return there


def after(steps: Iterable[Step], there: Mapping[str, Any]) -> dict[str, Any]:
    """What is there once these are done."""
    found = dict(there)
    for step in steps:
        way, port, _ = parts(key := str(step.key))
        if step.now is None:
            found.pop(key, None)
            continue
        found[key] = step.now
        if way in ("tagged", "native"):
            found[f"{TRUNK} {port}"] = True
        elif way == "untagged":
            found.pop(f"{TRUNK} {port}", None)
    return found


class _Reading:
    """What is being read belongs to the port or the VLAN whose line came last, unless its own line says."""

    def __init__(self, patterns: Mapping[str, re.Pattern[str]], *, ranges: bool) -> None:
        """ranges: a line may be of several ports, `swp1-3,swp5`."""
        self._patterns, self._ranges = patterns, ranges
        self._port, self._vids = "", list[int]()
        self._values: dict[str, Any] = {}
        self._access: set[str] = set()
        self._all: set[str] = set()
        self._trunks: set[str] = set()
        self._listed: set[str] = set()

    def take(self, line: str) -> None:
        for kind, pattern in self._patterns.items():
            if found := pattern.search(line):
                said = found.groupdict()
                for port in expanded(said["port"]) if self._ranges and said.get("port") else [said.get("port")]:
                    getattr(self, f"_{kind}_line")(said | {"port": port})

    def found(self) -> dict[str, Any]:
        """An access port's VLAN is no tagged one.  Where trunks say that they are, what they would have as access ports
        does not count, and the other way round."""
        values: dict[str, Any] = {f"all {port}": True for port in self._all - self._listed}
        values |= {f"{TRUNK} {port}": True for port in self._trunks}
        for key, value in self._values.items():
            way, port, vid = parts(key)
            if way == "tagged" and port in self._access:
                values[desired.untagged(port)] = vid
            elif way not in _MODAL or TRUNK not in self._patterns or self._holds(way, port):
                values[key] = value
        return values

    def _holds(self, way: str, port: str) -> bool:
        return (way == "untagged") != (port in self._trunks)

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

    def _trunk_line(self, said: Mapping[str, str]) -> None:
        self._trunks.add(said.get("port") or self._port)

    def _access_line(self, said: Mapping[str, str]) -> None:
        self._access.add(said.get("port") or self._port)

    def _shut_line(self, said: Mapping[str, str]) -> None:
        self._values[desired.enabled(said.get("port") or self._port)] = False


def _is_trunks(step: Step) -> bool:
    return step.now is not None and parts(str(step.key))[0] in ("tagged", "native")


def expanded(text: str) -> Iterator[str]:
    """`swp1-3,swp5`, `swp1s0-1`: each port by itself."""
    head = ""
    for piece in text.split(","):
        if (found := _PORTS.fullmatch(piece)) is None:
            yield piece
            continue
        head = found["head"] or head
        last = min(int(found["last"] or found["first"]), int(found["first"]) + _MOST_PORTS)
        yield from (f"{head}{number}" for number in range(int(found["first"]), last + 1))


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
