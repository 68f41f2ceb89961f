"""The sessions by which nodes of a lab watch each other (BFD), and what is tried while they stay as they are.

A lab's nodes send each other a word every 70 ms, and three that are missing are a dead node.  On a busy machine a
vswitchd that lives has no turn of a processor for that long now and then.  Then gateways go elsewhere, as they should,
and what was lost by it says nothing of what a test is about: it is tried again.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.netns.harness import Lab

from netweft.lab import build
from netweft.services.l3.gateways.watched_nodes import interface_to

T = TypeVar("T")
TIMES = 3


class Disturbed(AssertionError):
    """A node was thought dead, or alive again, meanwhile."""


@contextmanager
def undisturbed(lab: Lab, besides: str = "") -> Iterator[None]:
    """What fails here is Disturbed where that may be why.  besides: the node that is to be thought dead."""
    before = _turns(lab, besides)
    try:
        yield
    except AssertionError as error:
        if (after := _turns(lab, besides)) != before:
            raise Disturbed(f"sessions ended or began: {before} {after}") from error
        raise


def again_if_disturbed(tried: Callable[[], T]) -> T:
    for _ in range(TIMES - 1):
        try:
            return tried()
        except Disturbed as error:
            print(f"once more: {error}")
    return tried()


def _turns(lab: Lab, besides: str) -> dict[tuple[str, str], str]:
    """How often each session has come up or gone."""
    found = {}
    for node in build.node_names(lab.layout):
        if node != besides:
            told = lab.vsctl(node, "--format=json", "--columns=name,bfd_status", "find", "Interface", "bfd:enable=true")
            for name, (_, status) in json.loads(told)["data"]:
                if not besides or name != interface_to(besides):
                    found[node, name] = dict(status).get("flap_count", "")
    return found
