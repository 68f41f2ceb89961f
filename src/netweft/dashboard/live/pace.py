"""How often one user may open a page: each has what they may see looked up, so who opens one after the other waits."""

import asyncio
from typing import Final

SECONDS: Final = 0.25  # that each is worth
AT_ONCE: Final = 24.0
WAITING: Final = 40.0  # further ones are held against nobody any more
KEPT: Final = 10_000


class Pace:
    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # user -> what their pages so far are worth, as a moment

    async def turn(self, user: str) -> None:
        now = asyncio.get_running_loop().time()
        owed = min(max(self._until.pop(user, 0.0) - now, 0.0) + SECONDS, (AT_ONCE + WAITING) * SECONDS)
        self._until[user] = now + owed
        if len(self._until) > KEPT:
            del self._until[next(iter(self._until))]  # asked longest ago
        await asyncio.sleep(max(0.0, owed - AT_ONCE * SECONDS))
