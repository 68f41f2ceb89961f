"""Ports by other names: `Gi1/0/1`, `gigabitethernet 1/0/1` and `GigabitEthernet1/0/1` are one.  Pure.

What a host hears by LLDP, or an inventory has, is often the short name; a configuration has the long one.  Whoever
compares the two letter by letter sees nothing of what it made.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from netweft.plugins.mechanisms.switches.desired import parts
from netweft.reconcile.plan import Step

T = TypeVar("T")

_NAME: Final = re.compile(r"(?P<word>[A-Za-z][A-Za-z-]*?)[ -]?(?P<numbers>\d[\d/:.]*)")


class Spelling(Struct, frozen=True):
    """ports: what we call them -> what the device does."""

    ports: Mapping[str, str] = {}

    @classmethod
    def of(cls, ours: Collection[str], theirs: Collection[str], aliases: Mapping[str, str]) -> Self:
        """aliases: short word -> the device's, where it is not how that begins.  One that could be several is none."""
        by_numbers: dict[str, list[tuple[str, str]]] = {}
        for port in theirs:
            word, numbers = _split(port)
            by_numbers.setdefault(numbers, []).append((word, port))
        found = {}
        for port in {*ours} - {*theirs}:
            word, numbers = _split(port)
            word = aliases.get(word.upper(), word).lower()
            same = [name for other, name in by_numbers.get(numbers, ()) if _plain(other).startswith(_plain(word))]
            exact = [name for name in same if _plain(_split(name)[0]) == _plain(word)]
            if len(exact or same) == 1:
                found[port] = (exact or same)[0]
        return cls(found)

    def theirs(self, key: str) -> str:
        """The key by the device's name of its port."""
        way, port, vid = parts(key)
        return key if port not in self.ports else " ".join((way, self.ports[port], *([str(vid)] if vid else ())))

    def of_theirs(self, step: Step) -> Step:
        return replace(step, key=self.theirs(str(step.key)))

    def ours(self, found: Mapping[str, T], steps: Iterable[Step]) -> dict[str, T]:
        """What of these steps' keys is found, by our names."""
        keys = {key: self.theirs(key) for key in (str(step.key) for step in steps)}
        return {key: found[theirs] for key, theirs in keys.items() if theirs in found}


def _split(port: str) -> tuple[str, str]:
    """Word and numbers; a name of another form is all word."""
    found = _NAME.fullmatch(port)
    return (found["word"], found["numbers"]) if found else (port, "")


def _plain(word: str) -> str:
    return word.lower().replace("-", "")
