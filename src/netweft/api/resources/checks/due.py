"""Which check is run next: each project has its turn, whatever another one has saved.  Pure but for its memory."""


class Due:
    def __init__(self) -> None:
        self._at: dict[str, tuple[float, str]] = {}  # check -> when, and whose it is
        self._served: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def mark(self, check: str, project: str, at: float) -> None:
        """What is due already stays so: changes that go on and on do not put it off."""
        if check not in self._at or at < self._at[check][0]:
            self._at[check] = (at, project)

    def forget(self, check: str) -> None:
        self._at.pop(check, None)

    def next_at(self) -> float | None:
        return min((at for at, _ in self._at.values()), default=None)

    def take(self, now: float) -> str | None:
        """Of whoever was served the longest ago, what is due the longest."""
        ready = [(self._served.get(project, 0), at, id) for id, (at, project) in self._at.items() if at <= now]
        if not ready:
            return None
        found = min(ready)[2]
        self._count += 1
        self._served[self._at.pop(found)[1]] = self._count
        if not self._at:
            self._served.clear()
        return found
