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
