"""ACLs of devices whose configuration is paths with values (Junos' firewall filters): one term for each entry.  Pure.

As in `acl_lines`, a new list is made whole under a new name, then the port is led to it, then the old one goes.  What a
device shows is compared term by term; the order of lines in a term says nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from netweft.plugins.mechanisms.switches import acls
from netweft.plugins.mechanisms.switches.acl_lines import AclState, is_foreign, name_of
from netweft.plugins.mechanisms.switches.acls import Entry

_LIST: Final = "ip"  # one for both IP versions
_STEP: Final = 10  # between the numbers of terms
_NAMED: Final = re.compile(r"[a-zA-Z][\w-]*")


class TermWords(Struct, frozen=True, forbid_unknown_fields=True, tag_field="form", tag="terms"):
    """A dialect's.  term: what each line of a list begins with, behind `set`.  fields: by IP version, what a term says
    of each field of an entry; `any` where there is none.  rest: what is said of all else, terms apart.
    bind: of a port, with its direction by `directions`.  whole: what is deleted with a list."""

    directions: Mapping[str, str] = {}
    term: str = ""
    whole: str = ""
    bind: str = ""
    fields: Mapping[str, Mapping[str, str]] = {}
    permit: str = ""
    rest: Sequence[Sequence[str]] = ()

    @property
    def ways(self) -> frozenset[str]:
        return frozenset({"in": acls.IN, "out": acls.OUT}[one] for one in self.directions)

    def terms(self, way: str, value: Mapping[str, Any]) -> list[list[str]]:
        permitted = [[*self._term(way, one), self.permit] for one in acls.entries_of(value)]
        return [*permitted, *map(list, self.rest)]

    def _term(self, way: str, one: Entry) -> Iterator[str]:
        words, said = self.fields[f"ipv{one.version}"], fields_of(way, one)
        for field, text in said.items() or {"any": ""}.items():
            yield words[field].format(value=text)

    # -- what is there

    def understand(self, answer: str) -> AclState:
        state = AclState({}, {})
        term, bind = _pattern(self.term), _pattern(self.bind)
        ways = {word: way for way, word in self.directions.items()}
        for line in answer.splitlines() if self.directions else ():
            if found := term.fullmatch(line.removeprefix("set ").rstrip()):
                state.lists.setdefault((_LIST, found["acl"]), []).append(f"{found['number']} {found['rest']}")
            elif (found := bind.fullmatch(line.removeprefix("set ").rstrip())) and found["direction"] in ways:
                key = f"acl-{ways[found['direction']]} {found['port']}"
                state.bound.setdefault(key, {})[_LIST] = found["acl"]
        return state

    def shows(self, key: str, value: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
        """Whether a device that says this has what is wanted.  said: of AclState.said."""
        name, *lines = said.get(_LIST) or ("",)
        wanted, there = _by_term(_numbered(self.terms(key.partition(" ")[0], value))), _by_term(lines)
        if not name.startswith(self._name(key, value)) or list(wanted) != list(there):
            return False
        return all(_same(wanted[number], there[number]) for number in wanted)

    def _name(self, key: str, value: Mapping[str, Any]) -> str:
        return name_of(key, _numbered(self.terms(key.partition(" ")[0], value)))

    # -- what to say

    def say(self, key: str, value: Mapping[str, Any] | None, state: AclState) -> list[str]:
        """value: None where it is to go.  Raises Foreign."""
        way, _, port = key.partition(" ")
        bound = state.bound.get(key, {})
        old = bound.get(_LIST)
        if is_foreign(bound.values(), f"filter {{}} is on {port}", wanted=value is not None):
            return []
        said = list[str]()
        bind = self.bind.replace("{direction}", self.directions[way[4:]]).replace("{port}", port)
        if value is not None:
            name = self._name(key, value)
            name += "-2" if old == name else ""
            if (_LIST, name) in state.lists:  # of somebody who was cut off
                said.append(f"delete {self.whole.format(acl=name)}")
            for line in _numbered(self.terms(way, value)):
                number, _, rest = line.partition(" ")
                said.append(f"set {self.term.format(acl=name, number=number, rest=rest)}")
            said.append(f"set {bind.format(acl=name)}")
        elif old:
            said.append(f"delete {bind.format(acl='').rstrip()}")
        return [*said, *([f"delete {self.whole.format(acl=old)}"] if old else ())]


def fields_of(way: str, one: Entry) -> dict[str, str]:
    """Those that the entry has, by their names in `fields`."""
    kind, _, code = one.icmp.partition(".")
    found = {
        "protocol": one.protocol,
        "remote_destination" if way == acls.IN else "remote_source": one.remote,
        "sources": one.sources,
        "destinations": one.destinations,
        "icmp_type": kind,
        "icmp_code": code,
    }
    has = {field: text for field, text in found.items() if text not in (acls.ANY, "-", "")}
    return has | ({"established": ""} if one.established else {})


def _numbered(terms: Iterable[Sequence[str]]) -> list[str]:
    return [f"{number * _STEP} {line}" for number, term in enumerate(terms, 1) for line in term]


def _by_term(lines: Iterable[str]) -> dict[str, list[str]]:
    """In the order in which terms are applied."""
    found: dict[str, list[str]] = {}
    for line in lines:
        number, _, rest = line.partition(" ")
        found.setdefault(number, []).append(rest)
    return found


def _same(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """A number may be shown by a name."""
    if len(ours) != len(theirs):
        return False
    left = list(theirs)
    for line in ours:
        head, _, value = line.rpartition(" ")
        same = line if line in left else next((one for one in left if _is_name(one, head, value)), None)
        if same is None:
            return False
        left.remove(same)
    return True


def _is_name(theirs: str, head: str, value: str) -> bool:
    named, _, text = theirs.rpartition(" ")
    return value.isdigit() and named == head and _NAMED.fullmatch(text) is not None


def _pattern(template: str) -> re.Pattern[str]:
    text = re.escape(template)
    for word, pattern in {"acl": r"\S+", "number": r"\S+", "rest": ".+", "port": r"\S+", "direction": r"\S+"}.items():
        text = text.replace(rf"\{{{word}\}}", f"(?P<{word}>{pattern})")
    return re.compile(text)
