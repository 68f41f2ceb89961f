"""Whose each slot of a pool is: by weight, the same on every node, and nearly the same after a change.

Each member has an order of its own in which it likes slots, by a hash of its id; in turns, as often as its weight says,
each takes the first one that is still free (Eisenbud and others, "Maglev", NSDI 2016).  So shares are exact to one
slot, and little of what others have moves when a member comes or goes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from typing import Final, NamedTuple

# of a slot's number, by how many members there are at most: 16 slots and more for each
_WIDTHS: Final = ((16, 8), (64, 10))
_WIDEST: Final = 12
ALIKE: Final = 4  # bits, for a few whose weights are all 1


class Share(NamedTuple):
    id: str
    weight: int


def width(members: int) -> int:
    """Bits of a slot's number."""
    return next((bits for most, bits in _WIDTHS if members <= most), _WIDEST)


def owners(shares: Sequence[Share], bits: int) -> list[int]:
    """Of each slot the place in `shares` of who has it.  Weights are 1 or more, slots not fewer than shares."""
    slots = 1 << bits
    likes = [_likes(share.id, slots) for share in shares]
    found = [-1] * slots
    # by who has had least for its weight; the first turn is everybody's
    turns = [(0.0, share.id, place) for place, share in enumerate(shares)]
    heapify(turns)
    for _ in range(slots if shares else 0):
        had, id, place = turns[0]
        slot = next(slot for slot in likes[place] if found[slot] < 0)
        found[slot] = place
        heapreplace(turns, (had + 1 / shares[place].weight, id, place))
    return found


def majority(slots: Sequence[int]) -> int | None:
    """The owner of more than half of the slots, if there is one."""
    ((owner, count),) = Counter(slots).most_common(1) or [(0, 0)]
    return owner if 2 * count > len(slots) else None


def _likes(id: str, slots: int) -> Iterator[int]:
    """All slots, each once: the step is odd, and their number a power of two."""
    hashed = hashlib.blake2s(id.encode(), digest_size=8).digest()
    first, step = int.from_bytes(hashed[:4], "big"), int.from_bytes(hashed[4:], "big") | 1
    return ((first + step * turn) % slots for turn in range(slots))
