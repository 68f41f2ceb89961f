"""Access rules of application credentials: which requests to which service a token is good for, as Keystone has them.

A rule's path may hold `*` and `{name}` for one part of a path, `**` for any number of them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

_TOKEN = re.compile(r"\{[^}]*\}|\*\*|\*|\{|[^{*]+")


class AccessRule(Struct, frozen=True):
    """service: its type in the catalogue."""

    service: str
    method: str
    path: str


def permits(rules: Sequence[AccessRule], service: str, method: str, *paths: str) -> bool:
    """paths: by which the same thing is known."""
    return any(
        rule.service == service and rule.method == method and any(matches(rule.path, path) for path in paths)
        for rule in rules
    )


def matches(pattern: str, path: str) -> bool:
    """In time that grows with the lengths only, whatever the pattern: bit i of `reached` says that what of the pattern
    is behind us can be the first i characters."""
    reached, every = 1, (1 << len(path) + 1) - 1
    inside = sum(1 << i for i, letter in enumerate(path) if letter != "/")
    for token in _tokens(pattern):
        if token == "**":
            reached = every & -(reached & -reached)
        elif token == "*":
            starts = reached & inside
            run = ((starts + inside) ^ inside) | starts  # each run of `inside` from a start on, and the bit behind it
            reached = (run & inside) << 1
        else:
            reached = (reached & _occurrences(token, path)) << len(token)
        if not reached:
            return False
    return bool(reached >> len(path) & 1)


@lru_cache(maxsize=1024)
def _tokens(pattern: str) -> tuple[str, ...]:
    found = _TOKEN.findall(pattern)
    return tuple("*" if token.startswith("{") and token.endswith("}") else token for token in found)


def _occurrences(text: str, path: str) -> int:
    found, at = 0, path.find(text)
    while at >= 0:
        found |= 1 << at
        at = path.find(text, at + 1)
    return found
