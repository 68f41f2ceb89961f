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
    def __init__(
        self,
        authenticate: Authenticate,
        public_url: str,
        keystone_url: str = "",
        *,
        answer: Callable[[Refused], Response] = faults.answer,
        service: str = access.NETWORK,
    ) -> None:
        """public_url: where clients reach this server; empty for `where they reached it`.
        keystone_url: where they log in, when that is not here.
        answer: makes answers of refusals.  service: which one access rules have to name."""
        self._answer, self._service = answer, service
        self._authenticate = authenticate
        self._public_url = public_url
        self._keystone_url = keystone_url

    def __call__(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            token = request.headers.get("x-auth-token")
            try:
                if not token:
                    return self._unauthorized(request)
                context = await self._who(request, token)
                access.ask_as(context)
                return await handler(request, context)
            except Unauthorized:
                return self._unauthorized(request)
            except IdentityUnavailable:
                return self._answer(faults.IdentityAway())
            except Refused as refusal:
                return self._answer(refusal)
            except StoreError as refusal:
                log.error("refused by the store", path=request.url.path, problem=str(refusal), exc_info=refusal)
                return self._answer(faults.of_store(refusal))

        return endpoint

    async def _who(self, request: Request, token: str) -> Context:
        """All rules are for projects (Neutron's `scope_types`): who administers a domain is nobody in others."""
        service_token = request.headers.get("x-service-token")
        context = await (self._authenticate(token, service_token) if service_token else self._authenticate(token))
        await access.check(request, context, self._service, self._authenticate)
        if context.is_wider:
            raise faults.WrongScope
        return context

    def _unauthorized(self, request: Request) -> Response:
        base = self._public_url or str(request.base_url)
        return faults.unauthorized(self._keystone_url or f"{base.rstrip('/')}/identity/v3")
