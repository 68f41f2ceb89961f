"""The form of what `explain` and `doctor` find: a code, what it means, and the command that mends it."""

from typing import NamedTuple


class Code(NamedTuple):
    """A code never changes its meaning; {words} of a fix are filled in.

    blocks: it does not work because of it; else it is worth knowing.  by_admin: tenants cannot mend it.
    """

    code: str
    meaning: str
    fix: str
    blocks: bool = True
    by_admin: bool = False


def known(code: str, meaning: str, fix: str) -> Code:
    """It keeps nothing from working."""
    return Code(code, meaning, fix, blocks=False)


def operators(code: str, meaning: str, fix: str, *, blocks: bool = True) -> Code:
    """Only an admin can mend it."""
    return Code(code, meaning, fix, blocks=blocks, by_admin=True)
