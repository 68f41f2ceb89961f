"""ACLs on a command line: what to say so that a port has its entries, and what a running configuration has.  Pure.

A new list is made whole under a new name, then the port is led to it, then the old one goes: at no moment is half of
it in force.  A device shows some numbers by names of its own (`eq www`): these are taken as right.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from msgspec import Struct

from netweft.plugins.mechanisms.switches import acls
from netweft.plugins.mechanisms.switches.acls import Entry

OURS: Final = "netweft-"
_VERSIONS: Final = {"ipv4": 4, "ipv6": 6}
_NAMED: Final = r"[a-zA-Z][\w-]*"
_ICMP: Final = re.compile(r"(?P<head>permit icmp\w* .*?) (?P<numbers>\d+(?: \d+)?)")


class AclWords(Struct, frozen=True, forbid_unknown_fields=True, tag_field="form", tag="lines"):
    """A dialect's.  make, bind: by IP version; bind and its opposite are said of an interface, with `in` or `out`.
    protocols: number -> name, and what any protocol is, by IP version.  wildcards: IPv4 prefixes are said with the bits
    that do not matter (`10.0.0.0 0.0.0.255`)."""

    directions: Sequence[str] = ()
    make: Mapping[str, str] = {}
    bind: Mapping[str, str] = {}
    protocols: Mapping[str, str] = {}
    wildcards: bool = False

    @property
    def ways(self) -> frozenset[str]:
        return frozenset({"in": acls.IN, "out": acls.OUT}[one] for one in self.directions)

    def entries(self, way: str, value: Mapping[str, Any], version: int) -> list[str]:
        permitted = [f"permit {self._entry(way, one)}" for one in acls.entries_of(value, version)]
        return [*permitted, f"deny {self.protocols[f'ipv{version}']} any any"]

    def _entry(self, way: str, one: Entry) -> str:
        protocol = self.protocols[f"ipv{one.version}"] if one.protocol == acls.ANY else one.protocol
        remote, ends = self._prefix(one.remote), (_ports(one, "sources"), _ports(one, "destinations"))
        source, destination = ("any", remote) if way == acls.IN else (remote, "any")
        words = [self.protocols.get(protocol, protocol), source, ends[0], destination, ends[1]]
        words += [one.icmp.replace(".", " ") if one.has("icmp") else "", "established" if one.established else ""]
        return " ".join(filter(None, words))

    def _prefix(self, remote: str) -> str:
        if remote == acls.ANY:
            return remote
        network = ip_network(remote)
        if network.num_addresses == 1:
            return f"host {network[0]}"
        return f"{network[0]} {network.hostmask}" if self.wildcards and network.version == 4 else remote

    # -- what is there

    def understand(self, answer: str) -> "AclState":
        makes = [(version, _pattern(text)) for version, text in self.make.items()]
        binds = [(version, _pattern(text)) for version, text in self.bind.items()]
        state, port, lines = AclState({}, {}), "", list[str]()
        for line in answer.splitlines() if self.directions else ():
            if found := re.match(r"interface (\S+)", line):
                port, lines = found[1], []
            for version, pattern in makes:
                if found := pattern.fullmatch(line.rstrip()):
                    port, lines = "", state.lists.setdefault((version, found["acl"]), [])
            if found := re.fullmatch(r"\s+(?:(?:sequence )?\d+ )?((?:permit|deny) .*?)\s*", line):
                lines.append(found[1])
            for version, pattern in binds:
                if port and (found := pattern.fullmatch(line.strip())):
                    state.bound.setdefault(f"acl-{found['direction']} {port}", {})[version] = found["acl"]
        return state

    def shows(self, key: str, value: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
        """Whether a device that says this has what is wanted.  said: of AclState.said."""
        way = key.partition(" ")[0]
        for text, version in _VERSIONS.items():
            wanted, (name, *there) = self.entries(way, value, version), said.get(text) or ("",)
            same = len(wanted) == len(there) and all(map(_same, wanted, there))
            if not name.startswith(name_of(key, wanted)) or not same:
                return False
        return True

    # -- what to say

    def say(self, key: str, value: Mapping[str, Any] | None, state: "AclState") -> list[str]:
        """value: None where it is to go.  Raises Foreign."""
        way, _, port = key.partition(" ")
        bound = state.bound.get(key, {})
        if is_foreign(bound.values(), f"ACL {{}} is on {port}", wanted=value is not None):
            return []
        made, binds, gone = list[str](), [f"interface {port}"], list[str]()
        for text, version in _VERSIONS.items() if value is not None else ():
            lines = self.entries(way, value or {}, version)
            name = name_of(key, lines)
            name += "-2" if bound.get(text) == name else ""
            if (text, name) in state.lists:  # of somebody who was cut off
                made.append(f"no {self.make[text].format(acl=name)}")
            made += [self.make[text].format(acl=name), *lines]
            binds.append(self.bind[text].format(acl=name, direction=way[4:]))
        for text, name in bound.items():
            if value is None:
                binds.append(f"no {self.bind[text].format(acl=name, direction=way[4:])}")
            gone.append(f"no {self.make[text].format(acl=name)}")
        return [*made, *(binds if len(binds) > 1 else ()), *gone]


class CannotSay(Exception):
    """There is no list that would be right.  The text says why."""


class Foreign(CannotSay):
    """What is there is somebody else's.  The text names it."""


def is_foreign(bound: Iterable[str], said: str, *, wanted: bool) -> bool:
    """Whether one of these ACLs, or filters, is somebody else's.  said: where it is, with {} for its name.  Raises
    Foreign where it is in the way of what is wanted."""
    foreign = min((name for name in bound if not name.startswith(OURS)), default="")
    if foreign and wanted:
        raise Foreign(f"{said.format(foreign)} already, and is not ours")
    return bool(foreign)


class AclState(Struct, frozen=True):
    """bound: key -> `ipv4` or `ipv6` -> name.  lists: IP version and name -> its entries."""

    bound: dict[str, dict[str, str]]
    lists: dict[tuple[str, str], list[str]]

    def said(self) -> Iterator[tuple[str, Any]]:
        """As values of keys: IP version -> name and entries."""
        for key, names in self.bound.items():
            yield key, {version: [name, *self.lists.get((version, name), ())] for version, name in names.items()}


def name_of(key: str, lines: Sequence[str]) -> str:
    """Of a list of ours."""
    return OURS + hashlib.sha256("\n".join([key, *lines]).encode()).hexdigest()[:12]


def _pattern(template: str) -> re.Pattern[str]:
    text = re.escape(template).replace(r"\{acl\}", r"(?P<acl>\S+)").replace(r"\{direction\}", "(?P<direction>in|out)")
    return re.compile(text)


def _ports(one: Entry, field: str) -> str:
    if not one.has(field):
        return ""
    first, _, last = str(getattr(one, field)).partition("-")
    return f"range {first} {last}" if last else f"eq {first}"


def _same(ours: str, theirs: str) -> bool:
    """Numbers may be shown by names: of ports one by one, of ICMP type and code together."""
    theirs = " ".join(theirs.lower().split())  # IOS shows IPv6 addresses in capitals
    if icmp := _ICMP.fullmatch(ours):
        return re.fullmatch(rf"{re.escape(icmp['head'])} (?:{icmp['numbers']}|{_NAMED})", theirs) is not None
    words = (rf"(?:{word}|{_NAMED})" if word.isdigit() else re.escape(word) for word in ours.split())
    return re.fullmatch(" ".join(words), theirs) is not None
