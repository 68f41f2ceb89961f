"""By which way identity is asked: this server's own through the application itself, the cloud's Keystone by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message

from netweft.dashboard.login import Answer, Ask, Asked, NotLoggedIn
from netweft.plugins.identity.embedded.attempts import Attempts
from netweft.plugins.identity.embedded.errors import TooManyAttempts
from netweft.settings import ServerSettings

if TYPE_CHECKING:
    from httpx import AsyncClient

_OURS = "/identity"
_SECONDS = 10.0


def of_application(app: ASGIApp) -> Ask:
    """With its limits, its turns and its log."""

    async def ask(asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "http",
            "path": _OURS + path,
            "raw_path": (_OURS + path).encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in asked.headers.items()],
            "client": asked.client,
            "server": None,
        }
        said: list[Message] = []
        coming: list[Message] = [{"type": "http.request", "body": asked.body, "more_body": False}]

        async def receive() -> Message:
            return coming.pop() if coming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            said.append(message)

        await app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in said[0]["headers"]}
        return Answer(said[0]["status"], headers, b"".join(message.get("body", b"") for message in said[1:]))

    return ask


class OfKeystone:
    """Who tries too often is held back here: to Keystone all browsers are this server."""

    def __init__(self, settings: ServerSettings) -> None:
        """Raises SettingsError."""
        from netweft.plugins import service_user  # its library is large, too

        self.url = service_user.identity_url(settings).removesuffix("/v3")
        self._attempts = Attempts()
        self._client: AsyncClient | None = None  # its library is large: only when somebody logs in

    async def __call__(self, asked: Asked) -> Answer:
        if not asked.claims:
            return await self._sent(asked)
        client = str(asked.client[0]) if asked.client else "local"
        try:
            async with self._attempts.attempt(client, asked.claims, asked.headers["user-agent"]) as attempt:
                answer = await self._sent(asked)
                attempt.right = answer.status < 300
                attempt.looked_at = answer.status < 500
                return answer
        except TooManyAttempts as many:
            return Answer(429, {"retry-after": str(many.seconds)}, b"")

    async def _sent(self, asked: Asked) -> Answer:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False)
        try:
            answer = await self._client.request(
                asked.method, self.url + asked.path, headers=dict(asked.headers), content=asked.body
            )
        except httpx.HTTPError:
            raise NotLoggedIn(503, "The identity service does not answer.") from None
        return Answer(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
