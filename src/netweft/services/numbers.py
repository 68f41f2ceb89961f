"""Numbers for ids, small enough for a register: security groups, sets of addresses, routers, labels, members."""

import hashlib
from collections import Counter, defaultdict
from typing import Final

NUMBER_BYTES: Final = 4


class Numbers:
    """A number for each id, of 32 bits or fewer, the same whatever came before: the id's hash, or, for ids whose hashes
    are equal, the hash of id and place among them."""

    def __init__(self, bits: int = 8 * NUMBER_BYTES) -> None:
        self._mask = (1 << bits) - 1
        self._uses: Counter[str] = Counter()
        self._alike: defaultdict[int, set[str]] = defaultdict(set)

    def use(self, id: str, step: int) -> dict[str, int | None]:
        """step: one user more (1) or less (-1).  Returns the numbers that changed; None: it has none any more."""
        before = self._uses[id]
        self._uses[id] += step
        if self._uses[id] == 0:
            del self._uses[id]
        if (before == 0) == (id not in self._uses):
            return {}
        alike = self._alike[self._number(id)]
        (alike.discard if before else alike.add)(id)
        changed: dict[str, int | None] = {id: None} if before else {}
        changed |= {other: self._number(other, place) for place, other in enumerate(sorted(alike))}
        if not alike:
            del self._alike[self._number(id)]
        return changed

    def _number(self, id: str, place: int = 0) -> int:
        return _hash(id, place) & self._mask or 1


def _hash(id: str, place: int = 0) -> int:
    """Never 0, which is what registers hold before they are set."""
    text = f"{id}#{place}" if place else id
    return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=NUMBER_BYTES).digest(), "big") or 1
