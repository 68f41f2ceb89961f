"""What came of a question."""

import os
from typing import NamedTuple


class Heard(NamedTuple):
    """why: of one that is not well, for a person."""

    well: bool
    why: str = ""


def failed(error: OSError) -> Heard:
    """In the system's words: what asyncio says names the address that the agent sees, which nobody knows."""
    return Heard(well=False, why=(os.strerror(error.errno) if error.errno else str(error)).lower())
