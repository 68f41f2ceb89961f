"""What a probe of Open vSwitch is: a question, what our design makes of the answer, and how it is asked."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.ground.stage import Stage


class Seen(NamedTuple):
    """words: what came of it.  right: whether it is as it ought to be; None where it is neither right nor wrong."""

    words: str
    right: bool | None = None


class Probe(NamedTuple):
    """name: the heading.  asks, design: sentences for a reader.  look: asks it of the Open vSwitch on the stage."""

    name: str
    asks: str
    design: str
    look: Callable[[Stage], Awaitable[Seen]]
