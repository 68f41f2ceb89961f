"""The browser's session in front of the whole application: a cookie that becomes the API's token, and nothing else.

    POST, GET, PUT, DELETE /dashboard/session     log in, who am I, change the project, log out
    GET /dashboard/names/projects, .../users      what they are called, as far as identity lets the caller list them
    GET /dashboard/servers                        the VMs behind ports, as the cloud's Nova tells the user
    /dashboard/api/v2.0/...                       the request that the API knows, with the token
    /dashboard/api/load-balancer/v2/lbaas/...     likewise
    /dashboard/api/identity/v3/users, ...         users, projects and roles, where identity is ours
    /dashboard/api/key-manager/v1/secrets, ...    which certificates there are; made, deleted, their content never told

So what anybody may do is what the API lets them.  No server remembers a session: any server takes the cookie.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from netweft.api.encoding import Malformed, decode
from netweft.api.key_manager.shapes import ROOT as KEY_MANAGER
from netweft.dashboard import PATH, cookie, guard
from netweft.dashboard.compute.asked import Compute
from netweft.dashboard.login import Ask, Identity, Login, NotLoggedIn, Said, Session

T = TypeVar("T")
SESSION: Final = f"{PATH}/session"
NAMES: Final = f"{PATH}/names"
SERVERS: Final = f"{PATH}/servers"
API: Final = f"{PATH}/api"
_NAMED = {f"{NAMES}/{kind}": kind for kind in ("projects", "users")}
_BEHIND = ("/v2.0", "/load-balancer/v2/lbaas/")  # what the page may ask for: nothing by which a node gets a token
# and of identity: nothing by which a script would come to have a token or a secret
_ONE = "[A-Za-z0-9_-]{1,64}"
_IDENTITY = re.compile(
    rf"/identity/v3/(roles|role_assignments|(users|projects)(/{_ONE})?|projects/{_ONE}/users/{_ONE}/roles/{_ONE})"
)
# and of the key manager: what it has, not what is in it
_KEYS = re.compile(
    rf"(GET|POST) {KEY_MANAGER}/v1/(secrets|containers)|DELETE {KEY_MANAGER}/v1/(secrets|containers)/{_ONE}"
)
_DROPPED = frozenset({b"cookie", b"x-auth-token", b"x-service-token", b"x-subject-token"})
_PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_BODY_BYTES = 16 * 1024
_NO_SESSION = "There is no session, or it is over."


class _Into(Struct, frozen=True, forbid_unknown_fields=True):
    project_id: str


class Sessions:
    """ask_by: how identity is asked; None where it knows no passwords.  keystone: the address of the cloud's; empty:
    identity is ours.  Keystone finds what was made of a token by its audit ids."""

    def __init__(
        self,
        app: ASGIApp,
        ask_by: Callable[[ASGIApp], Ask] | None,
        compute: Compute,
        public_url: str,
        *,
        keystone: str = "",
    ) -> None:
        self.app = app
        self._compute = compute
        self._ask = ask_by(app) if ask_by else None
        self._keystone = keystone
        self._public_url = public_url
        self._path = urlsplit(public_url).path.rstrip("/") + PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path in (SESSION, SERVERS) or path in _NAMED:
            await (await self._session(Request(scope, receive)))(scope, receive, send)
        elif path.startswith(f"{API}/"):
            await self._api(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    # -- the API

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        behind = scope["path"].removeprefix(API)
        refused = guard.problem(scope["method"], headers, self._public_url)
        if refused or not _is_for_pages(scope["method"], behind):
            answer = _said(403, refused) if refused else _said(404, "There is nothing here.")
            await answer(scope, receive, send)
            return
        token = cookie.token_of(headers.get("cookie", ""))
        kept = [pair for pair in scope["headers"] if pair[0] not in _DROPPED]
        inner = {
            **scope,
            "path": behind,
            "raw_path": scope.get("raw_path", b"").removeprefix(API.encode()),
            "headers": [*kept, (b"x-auth-token", token.encode())] if token else kept,
        }
        private = [(name.encode(), value.encode()) for name, value in _PRIVATE.items()]

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *private]
            await send(message)

        await self.app(inner, receive, send_private)

    # -- the session

    async def _session(self, request: Request) -> Response:
        if refused := guard.problem(request.method, request.headers, self._public_url):
            return _said(403, refused)
        if self._ask is None:
            return _said(501, "This server's identity has no way to log in by a page.")
        client, software = request.scope.get("client"), request.headers.get("user-agent", "")
        identity = Identity(self._ask, client, software, chained=bool(self._keystone))
        token = cookie.token_of(request.headers.get("cookie", ""))
        try:
            match request.method:
                case _ if kind := _NAMED.get(request.url.path):
                    return _answer({kind: await identity.names(token, kind)}) if token else _said(401, _NO_SESSION)
                case "GET" if token and request.url.path == SERVERS:
                    return _json(await self._compute.answer(request, self._ask, token))
                case "POST" | "PUT" | "DELETE" if request.url.path == SERVERS:
                    return _said(405, "Servers are only looked at.")
                case "POST":
                    return await self._log_in(request, identity, token)
                case "DELETE":
                    if token:
                        await identity.log_out(token)
                    return self._over(request, Response(status_code=204, headers=_PRIVATE))
                case "GET" | "PUT" if not token:
                    return _said(401, _NO_SESSION)
                case "GET":
                    return _answer(await self._told(identity, token, await identity.who(token)))
                case "PUT":
                    wanted = await _body(request, _Into)
                    session = await identity.change_project(token, wanted.project_id)
                    return await self._begun(request, identity, session)
                case _:
                    return _said(405, "A session takes GET, POST, PUT and DELETE.")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Malformed as malformed:
            return _said(400, str(malformed))
        except NotLoggedIn as error:
            return self._refused(request, error)

    async def _log_in(self, request: Request, identity: Identity, before: str) -> Response:
        session = await identity.log_in(await _body(request, Login))
        if before:
            await identity.log_out(before)
        return await self._begun(request, identity, session)

    async def _begun(self, request: Request, identity: Identity, session: Session) -> Response:
        """With a token that nobody had before."""
        if not cookie.can_hold(session.token):
            return _said(501, "A token of this identity service does not go into a cookie.")
        answer = _answer(await self._told(identity, session.token, session.said), 201)
        encrypted = guard.is_encrypted(request.headers)
        answer.headers["set-cookie"] = cookie.kept(session.token, self._path, encrypted=encrypted)
        return answer

    async def _told(self, identity: Identity, token: str, said: Said) -> dict[str, Any]:
        """What the page may know of the session: all but the token.  Where users are made is told to admins."""
        roles = [role.name for role in said.roles]
        return {
            "user": said.user,
            "project": said.project,
            "roles": roles,
            "expires_at": said.expires_at,
            "projects": await identity.projects(token),
            "keystone": self._keystone if "admin" in roles else "",
        }

    def _refused(self, request: Request, error: NotLoggedIn) -> Response:
        if error.status in (401, 404) and request.method == "GET":
            return self._over(request, _said(401, _NO_SESSION))
        answer = _said(error.status, str(error))
        if error.retry_after:
            answer.headers["retry-after"] = error.retry_after
        return answer

    def _over(self, request: Request, answer: Response) -> Response:
        answer.headers["set-cookie"] = cookie.gone(self._path, encrypted=guard.is_encrypted(request.headers))
        return answer


def _is_for_pages(method: str, path: str) -> bool:
    asked = f"{method} {path}"
    return path.startswith(_BEHIND) or bool(_IDENTITY.fullmatch(path) or _KEYS.fullmatch(asked))


async def _body(request: Request, type: type[T]) -> T:
    """Raises Malformed."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _BODY_BYTES:
            raise Malformed(f"The request body is larger than {_BODY_BYTES} bytes.")
    found: T = decode(content, type)
    return found


def _answer(content: Any, status: int = 200) -> Response:
    return _json(msgspec.json.encode(content), status)


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, _PRIVATE, media_type="application/json")


def _said(status: int, message: str) -> Response:
    """In the form of the API's own refusals."""
    return _answer({"NeutronError": {"type": "Dashboard", "message": message, "detail": ""}}, status)
