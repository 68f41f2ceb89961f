"""Lets in who has a token, and turns refusals into answers."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import Response

from netweft.api import access, faults
from netweft.control.errors import Refused
from netweft.plugins.identity import Authenticate, Context, IdentityUnavailable, Unauthorized
from netweft.store import StoreError

log = structlog.get_logger(__name__)
Handler = Callable[[Request, Context], Awaitable[Response]]


class Gate:
    def __init__(self, authenticate: Authenticate, public_url: str) -> None:
        """public_url: where clients reach this server; empty for `where they reached it`."""
        self._authenticate = authenticate
        self._public_url = public_url

    def __call__(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            token = request.headers.get("x-auth-token")
            try:
                if not token:
                    return self._unauthorized(request)
                context = await self._authenticate(token)
                await access.check(request, context, access.NETWORK, self._authenticate)
                return await handler(request, context)
            except Unauthorized:
                return self._unauthorized(request)
            except IdentityUnavailable:
                return faults.answer(faults.IdentityAway())
            except Refused as refusal:
                return faults.answer(refusal)
            except StoreError as refusal:
                log.error("refused by the store", path=request.url.path, problem=str(refusal), exc_info=refusal)
                return faults.answer(faults.of_store(refusal))

        return endpoint

    def _unauthorized(self, request: Request) -> Response:
        base = self._public_url or str(request.base_url)
        return faults.unauthorized(f"{base.rstrip('/')}/identity/v3")
