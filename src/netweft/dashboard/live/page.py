"""One page that is told of changes: what waits to be sent to it, and its connection.

What waits is a set of objects, not a queue: a slow page is told less often, and of no more than MOST objects; of more
it is told to look at everything again.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from netweft.api.stream.sight import Change
from netweft.plugins.identity import Context

MOST: Final = 1000
APART_SECONDS: Final = 0.01
# why it is ended, as the page is told
OVER, OTHER, CROWDED, AWAY = 4401, 4403, 4408, 4409


class Page:
    def __init__(self, websocket: WebSocket, token: str, context: Context) -> None:
        self.token, self.context = token, context
        self._websocket = websocket
        self._waiting: dict[tuple[str, str], bool] = {}
        self._reload = False
        self._revision = 0
        self._something = asyncio.Event()
        self._end: int | None = None

    def tell(self, revision: int, changes: Iterable[Change]) -> None:
        """From the event loop."""
        self._revision = revision
        for kind, id, gone in changes:
            self._waiting[kind, id] = gone
        if len(self._waiting) > MOST:
            self.tell_all(revision)
        elif self._waiting:
            self._something.set()

    def tell_all(self, revision: int) -> None:
        """Whatever it shows may have changed."""
        self._revision, self._reload = revision, True
        self._waiting.clear()
        self._something.set()

    def end(self, why: int) -> None:
        self._end = why
        self._something.set()

    async def run(self) -> None:
        """Until it is gone, or ended."""
        await self._websocket.accept()
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._websocket.client_state is WebSocketState.CONNECTED:
            await self._websocket.close(self._end or AWAY)

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            if self._end is not None:
                return
            message = self._message()
            try:
                await self._websocket.send_text(message)  # waits for who does not read
            except (WebSocketDisconnect, RuntimeError):
                return
            await asyncio.sleep(APART_SECONDS)

    def _message(self) -> str:
        said: dict[str, Any] = {"revision": self._revision}
        if self._reload:
            said["reload"] = True
        else:
            said["changes"] = [(kind, id, gone) for (kind, id), gone in self._waiting.items()]
        self._waiting.clear()
        self._reload = False
        return msgspec.json.encode(said).decode()

    async def _read(self) -> None:
        """A page says nothing: whatever comes is its end."""
        await self._websocket.receive()
