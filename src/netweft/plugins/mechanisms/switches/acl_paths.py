"""ACLs as OpenConfig has them (openconfig-acl, openconfig-packet-match 2): a set for each IP version.  Pure.

All steps of a switch are one transaction, so a new set is there, and in force, at the moment when the old one goes.
What a device shows is compared path by path; whatever it adds of its own that says nothing about a packet is skipped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from netweft.plugins.mechanisms.switches import acls
from netweft.plugins.mechanisms.switches.acl_lines import AclState, CannotSay, is_foreign, name_of
from netweft.plugins.mechanisms.switches.acl_terms import fields_of
from netweft.plugins.mechanisms.switches.acls import Entry

_STEP: Final = 10  # between the numbers of entries
_VERSIONS: Final = {"ipv4": 4, "ipv6": 6}
_TYPES: Final = {"ACL_IPV4": "ipv4", "ACL_IPV6": "ipv6"}
_SETS, _SET = "acl/acl-sets", "acl-set[name={name}][type={type}]"
_ENTRY: Final = re.compile(
    r"acl/acl-sets/acl-set\[name=(?P<name>[^\]]*)\]\[type=(?:[\w-]+:)?(?P<type>\w+)\]"
    r"(?:/acl-entries/acl-entry\[sequence-id=(?P<number>\d+)\])?/(?P<rest>.*)"
)
_BOUND: Final = re.compile(
    r"acl/interfaces/interface\[id=(?P<port>[^\]]*)\]/(?P<way>in|e)gress-acl-sets/"
    r"(?:in|e)gress-acl-set\[set-name=(?P<name>[^\]]*)\]\[type=(?:[\w-]+:)?(?P<type>\w+)\]/.*"
)
_SILENT: Final = re.compile(
    r"(?:sequence-id|config/sequence-id|config/description|actions/config/log-action|input-int).*"
)
_NAMED: Final = {"IP_ICMP": "1", "IP_TCP": "6", "IP_UDP": "17", "IP_ICMPV6": "58"}
_IDENTITY: Final = re.compile(r"(?<= )[\w-]+:(?=[A-Z][A-Z0-9_]*$)")


class PathWords(Struct, frozen=True, forbid_unknown_fields=True, tag_field="form", tag="paths"):
    """fields: by IP version, what an entry says of each of its fields.  types: of sets.  icmp: by IP version, names of
    types; others cannot be said.  permit, deny: as an entry ends.  asked: what is read, beside what is without ACLs."""

    directions: Mapping[str, str] = {}
    types: Mapping[str, str] = {}
    fields: Mapping[str, Mapping[str, str]] = {}
    icmp: Mapping[str, Mapping[str, str]] = {}
    permit: str = ""
    deny: str = ""
    asked: Sequence[str] = ()

    @property
    def ways(self) -> frozenset[str]:
        return frozenset({"in": acls.IN, "out": acls.OUT}[one] for one in self.directions)

    def entries(self, way: str, value: Mapping[str, Any], version: str) -> list[str]:
        """Each line with the number of its entry before it.  Raises CannotSay."""
        found = [[*self._said(way, one), self.permit] for one in acls.entries_of(value, _VERSIONS[version])]
        return [f"{number * _STEP} {line}" for number, lines in enumerate([*found, [self.deny]], 1) for line in lines]

    def _said(self, way: str, one: Entry) -> Iterator[str]:
        version = f"ipv{one.version}"
        words, said = self.fields[version], fields_of(way, one)
        if "icmp_code" in said:
            raise CannotSay(f"OpenConfig's ACLs have no number of an ICMP code, such as {one.icmp}")
        if "icmp_type" in said:
            if (name := self.icmp[version].get(said["icmp_type"])) is None:
                raise CannotSay(f"OpenConfig's ACLs have no name of ICMP type {said['icmp_type']} of IPv{one.version}")
            said["icmp_type"] = name
        for field, text in said.items():
            lines = words[field].format(value=text.replace("-", "..") if field in ("sources", "destinations") else text)
            yield from lines.split("; ")

    # -- what is there

    def understand(self, answer: str) -> AclState:
        state = AclState({}, {})
        for line in answer.splitlines() if self.directions else ():
            if (found := _ENTRY.fullmatch(line)) and found["type"] in _TYPES:
                lines = state.lists.setdefault((_TYPES[found["type"]], found["name"]), [])
                if found["number"] and not _SILENT.fullmatch(found["rest"]):
                    lines.append(f"{found['number']} {_plain(found['rest'])}")
            elif (found := _BOUND.fullmatch(line)) and found["type"] in _TYPES:
                key = f"{acls.IN if found['way'] == 'in' else acls.OUT} {found['port']}"
                state.bound.setdefault(key, {})[_TYPES[found["type"]]] = found["name"]
        return state

    def shows(self, key: str, value: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
        """Whether a device that says this has what is wanted.  said: of AclState.said."""
        way = key.partition(" ")[0]
        for version in _VERSIONS:
            try:
                wanted = self.entries(way, value, version)
            except CannotSay:
                return False
            name, *there = said.get(version) or ("",)
            if not name.startswith(name_of(key, wanted)) or sorted(map(_plain, wanted)) != sorted(there):
                return False
        return True

    # -- what to say

    def say(self, key: str, value: Mapping[str, Any] | None, state: AclState) -> list[str]:
        """value: None where it is to go.  Raises CannotSay."""
        way, _, port = key.partition(" ")
        bound = state.bound.get(key, {})
        if is_foreign(bound.values(), f"ACL {{}} is on {port}", wanted=value is not None):
            return []
        said, kept = list[str](), set[tuple[str, str]]()
        for version in _VERSIONS if value is not None else ():
            lines = self.entries(way, value or {}, version)
            name = name_of(key, lines)
            name += "-2" if bound.get(version) == name else ""
            kept.add((version, name))
            if (version, name) in state.lists:  # of somebody who was cut off
                said.append(f"delete {self._set(version, name)}")
            said += [*self._made(version, name, lines), *self._led(way, port, version, name)]
        for version, name in bound.items():
            if (version, name) not in kept:
                said += [f"delete {self._led_at(way, port, version, name)}", f"delete {self._set(version, name)}"]
        return said

    def _set(self, version: str, name: str) -> str:
        return f"{_SETS}/{_SET.format(name=name, type=self.types[version])}"

    def _made(self, version: str, name: str, lines: Sequence[str]) -> Iterator[str]:
        at = self._set(version, name)
        yield f"set {at}/config/name {name}"
        yield f"set {at}/config/type {self.types[version]}"
        for line in lines:
            number, _, rest = line.partition(" ")
            entry = f"{at}/acl-entries/acl-entry[sequence-id={number}]"
            yield f"set {entry}/config/sequence-id {number}"
            yield f"set {entry}/{rest}"

    def _led(self, way: str, port: str, version: str, name: str) -> list[str]:
        interface, at = f"acl/interfaces/interface[id={port}]", self._led_at(way, port, version, name)
        return [
            f"set {interface}/config/id {port}",
            f"set {interface}/interface-ref/config/interface {port}",
            f"set {at}/config/set-name {name}",
            f"set {at}/config/type {self.types[version]}",
        ]

    def _led_at(self, way: str, port: str, version: str, name: str) -> str:
        direction = self.directions[way[4:]]
        keys = f"[set-name={name}][type={self.types[version]}]"
        return f"acl/interfaces/interface[id={port}]/{direction}-acl-sets/{direction}-acl-set{keys}"


def _plain(line: str) -> str:
    """Identities without the prefix that whoever writes them has chosen, protocols by number."""
    head, _, value = _IDENTITY.sub("", line).rpartition(" ")
    return f"{head} {_NAMED.get(value, value)}"
