"""One request to the identity API: who asks, what the body says; and how a refusal looks in Keystone's words."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api import access
from netweft.api.encoding import Malformed, decode, told
from netweft.plugins.identity import Context, IdentityUnavailable, Unauthorized
from netweft.plugins.identity.embedded.errors import Conflict, Forbidden, Invalid, NotFound, TooManyAttempts
from netweft.plugins.identity.embedded.service import EmbeddedIdentity
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.settings import ServerSettings
from netweft.store import Busy, Missing, StoreError, WriteTransaction

log = structlog.get_logger(__name__)
T = TypeVar("T")

PREFIX = "/identity/v3"
_STATUS: dict[type[Exception], HTTPStatus] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    IdentityUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
}


class Call(NamedTuple):
    request: Request
    identity: EmbeddedIdentity
    settings: ServerSettings

    @property
    def base(self) -> str:
        """The address that this client reaches us by, without a slash at its end."""
        return self.settings.public_url.rstrip("/") or str(self.request.base_url).rstrip("/")

    @property
    def token(self) -> str:
        return self.request.headers.get("x-auth-token", "")

    @property
    def software(self) -> str:
        """The client's, as it says."""
        return self.request.headers.get("user-agent", "")

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def url(self, *parts: str) -> str:
        return "/".join((self.base + PREFIX, *parts))

    async def caller(self) -> Context:
        """Raises Unauthorized."""
        context = await self.identity.authenticate(self.token)
        access.ask_as(context)
        await access.check(self.request, context, access.IDENTITY, self.identity.authenticate)
        return context

    async def resolved(self) -> Resolved:
        """The caller, with all that the token refers to.  Raises Unauthorized."""
        await self.caller()
        return await self.identity.inspect(self.token)

    async def admin(self) -> Context:
        """Raises Unauthorized, Forbidden."""
        return await self.admin_or(None)

    async def admin_or(self, user_id: str | None) -> Context:
        """An admin, or this user.  Raises Unauthorized, Forbidden."""
        context = await self.caller()
        if not context.is_admin and context.user_id != user_id:
            raise Forbidden
        return context

    async def change(self, work: Callable[[WriteTransaction], Any]) -> msgspec.Raw:
        """What work gives is the answer, as it is sent."""
        return await self.identity.change(lambda tx: told(work(tx)))

    async def body(self, type: type[T]) -> T:
        """Raises Invalid."""
        return parse(await self.request.body(), type)


def parse(data: bytes | msgspec.Raw, type: type[T]) -> T:
    """Raises Invalid."""
    try:
        found: T = decode(data, type)
    except Malformed as malformed:
        raise Invalid(str(malformed)) from None
    return found


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


class Operation(NamedTuple):
    """What the API can do, as data: `routes` binds it to an identity service."""

    method: str
    path: str
    handler: Handler


class FiveOperations(Protocol):
    """What most resources can do."""

    async def list_all(self, call: Call) -> Response: ...
    async def create(self, call: Call) -> Response: ...
    async def show(self, call: Call) -> Response: ...
    async def update(self, call: Call) -> Response: ...
    async def delete(self, call: Call) -> Response: ...


def operations_of(kind: str, resource: FiveOperations) -> list[Operation]:
    """kind: of the collection, as in the path."""
    collection, one = f"{PREFIX}/{kind}", f"{PREFIX}/{kind}/{{id}}"
    return [
        Operation("GET", collection, resource.list_all),
        Operation("POST", collection, resource.create),
        Operation("GET", one, resource.show),
        Operation("PATCH", one, resource.update),
        Operation("DELETE", one, resource.delete),
    ]


def routes(operations: list[Operation], identity: EmbeddedIdentity, settings: ServerSettings) -> list[Route]:
    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            call = Call(request, identity, settings)
            try:
                return await handler(call)
            except tuple(_STATUS) as error:
                return _refusal(call, error)
            except StoreError as error:
                log.error("refused by the store", path=request.url.path, problem=str(error), exc_info=error)
                return _refusal(call, _of_store(error))

        return answer

    paths = dict.fromkeys(operation.path for operation in operations)
    return [_by_method(path, {o.method: endpoint(o.handler) for o in operations if o.path == path}) for path in paths]


def json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def listing(call: Call, member: str, items: list[Any], *path: str, after: str | None = None) -> Response:
    """Keystone's frame of a list.  after: the last item's id, where there may be more."""
    asked = {name: value for name, value in call.request.query_params.items() if name != "marker"}
    more = f"{call.url(*path)}?{urlencode({**asked, 'marker': after})}" if after else None
    return json({member: items, "links": {"self": call.url(*path), "next": more, "previous": None}})


def no_content() -> Response:
    return Response(status_code=204)


def _by_method(path: str, endpoints: dict[str, Callable[[Request], Awaitable[Response]]]) -> Route:
    """One route per path, so that a wrong method is answered with those that there are."""
    if "GET" in endpoints:
        endpoints.setdefault("HEAD", endpoints["GET"])

    async def dispatch(request: Request) -> Response:
        return await endpoints[request.method](request)

    return Route(path, dispatch, methods=list(endpoints))


def _of_store(refusal: StoreError) -> Exception:
    """For what the store still refuses when it is no contention any more."""
    if isinstance(refusal, Busy):
        return IdentityUnavailable("The database is busy with other requests. Try again.")
    return NotFound(refusal.kind, refusal.id) if isinstance(refusal, Missing) else Conflict(f"{refusal}.")


def _refusal(call: Call, error: Exception) -> Response:
    status = _STATUS[type(error)]
    message = str(error)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        message = "The request you have made requires authentication."
        headers["WWW-Authenticate"] = f'Keystone uri="{call.base}/identity"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.seconds)
    return json({"error": {"code": int(status), "message": message, "title": status.phrase}}, status, headers)
