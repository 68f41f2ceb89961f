"""What a check says of the facts."""

from collections.abc import Mapping
from typing import NamedTuple

from netweft.findings import Code


class Found(NamedTuple):
    """detail: what it is about.  values: for the code's fix."""

    code: Code
    detail: str = ""
    values: Mapping[str, str] = {}

    @property
    def fix(self) -> str:
        return self.code.fix.format_map(dict(self.values))
