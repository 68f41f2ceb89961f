"""What waits for a page that reads slowly, or not at all."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from starlette.websockets import WebSocket

from netweft.api.stream.sight import Change
from netweft.dashboard.live import page as pages
from netweft.dashboard.live.page import Page
from netweft.plugins.identity import Context


class Browser:
    """The other end: reads when it is let."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.said: list[Any] = []
        self._leaves = asyncio.Event()
        self._came: list[Any] = [{"type": "websocket.connect"}]
        self.page = Page(
            WebSocket({"type": "websocket"}, self._receive, self._send), "", Context(user_id="u", user_name="u")
        )
        self.task = asyncio.create_task(self.page.run())

    async def _receive(self) -> Any:
        if not self._came:
            await self._leaves.wait()
            return {"type": "websocket.disconnect", "code": 1001}
        return self._came.pop()

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.reads.wait()
            self.said.append(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.said.append(message["code"])

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(5):
            while len(self.said) < count:
                await asyncio.sleep(0.001)
        return self.said

    def leave(self) -> None:
        self._leaves.set()


@pytest.fixture
async def browser() -> Any:
    browser = Browser()
    yield browser
    browser.task.cancel()
    with suppress(asyncio.CancelledError):
        await browser.task


async def test_changes_are_said_with_the_revision(browser: Browser) -> None:
    browser.page.tell(7, [Change("ports", "a", False), Change("ports", "b", True)])
    assert await browser.until(1) == [{"revision": 7, "changes": [["ports", "a", False], ["ports", "b", True]]}]


async def test_who_does_not_read_gets_each_object_once_as_it_was_last(browser: Browser) -> None:
    browser.reads.clear()
    browser.page.tell(1, [Change("ports", "first", False)])
    await asyncio.sleep(0.02)  # on its way, and not taken
    for revision in range(2, 500):
        browser.page.tell(revision, [Change("ports", "a", revision == 499)])
    browser.reads.set()
    _, second = await browser.until(2)
    assert second == {"revision": 499, "changes": [["ports", "a", True]]}


async def test_who_misses_too_much_has_to_reload_everything(browser: Browser) -> None:
    browser.reads.clear()
    browser.page.tell(1, [Change("ports", "first", False)])
    await asyncio.sleep(0.02)
    for at in range(pages.MOST + 2):
        browser.page.tell(at, [Change("ports", str(at), False)])
    browser.page.tell(5000, [])
    browser.reads.set()
    _, second = await browser.until(2)
    assert second["reload"] is True and "changes" not in second


async def test_one_that_is_ended_gets_the_reason_and_one_that_left_is_over(browser: Browser) -> None:
    browser.page.end(pages.OVER)
    assert await browser.until(1) == [pages.OVER]
    await asyncio.wait_for(browser.task, 5)
    other = Browser()
    await asyncio.sleep(0)
    other.leave()
    await asyncio.wait_for(other.task, 5)
    assert other.said == []
