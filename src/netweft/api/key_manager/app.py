"""The key manager's API as routes."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import access as tokens
from netweft.api.encoding import json_response, whole_number
from netweft.api.gate import Gate, Handler
from netweft.api.key_manager import faults, shapes
from netweft.api.key_manager.shapes import ROOT, Shown
from netweft.api.running import Run
from netweft.control.key_manager import secrets as use
from netweft.control.key_manager.access import Caller
from netweft.control.key_manager.errors import BadKeyRequest, KeyNotFound
from netweft.control.key_manager.secrets import CONTAINERS, CONTENT, MOST_CONSUMERS, SECRETS, TITLES, Secrets
from netweft.plugins.identity import Authenticate, Context
from netweft.settings import ServerSettings
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")
_PATHS: Final = {SECRETS: "secrets", CONTAINERS: "containers"}
_LISTED: Final = {"name": "name", "alg": "algorithm", "mode": "mode", "secret_type": "secret_type", "type": "type"}
_PAGE, _LARGEST_PAGE = 10, 100
_NO_ORDERS: Final = (
    "Orders are not served: this key manager makes no keys and no certificates. Make them yourself, and store them as "
    "secrets."
)
_NO_STORE: Final = {"Cache-Control": "no-store"}


def routes(store: Store, authenticate: Authenticate, settings: ServerSettings, secrets: Secrets) -> Sequence[BaseRoute]:
    gate = Gate(
        authenticate, settings.public_url, settings.keystone_url, answer=faults.answer, service=tokens.KEY_MANAGER
    )
    api = _Api(store, secrets, settings.public_url)

    def route(path: str, **handlers: Handler) -> Route:
        async def handle(request: Request, context: Context) -> Response:
            return await handlers["GET" if request.method == "HEAD" else request.method](request, context)

        return Route(f"{ROOT}/v1{path}", gate(handle), methods=list(handlers))

    found: list[BaseRoute] = [
        Route(ROOT, api.versions),
        Route(f"{ROOT}/", api.versions),
        Route(f"{ROOT}/v1", api.version),
        Route(f"{ROOT}/v1/", api.version),
        route("/secrets", GET=api.list(SECRETS), POST=api.create_secret),
        route("/secrets/{id}", GET=api.show_secret, PUT=api.fill_secret, DELETE=api.delete(SECRETS)),
        route("/secrets/{id}/payload", GET=api.payload),
        route("/secrets/{id}/metadata", GET=api.metadata, PUT=api.put_metadata),
        route("/containers", GET=api.list(CONTAINERS), POST=api.create_container),
        route("/containers/{id}", GET=api.show_container, DELETE=api.delete(CONTAINERS)),
        route("/orders", GET=api.no_orders, POST=api.refuse_order),
        route("/orders/{id}", GET=api.unknown_order, DELETE=api.unknown_order),
        route("/containers/{id}/secrets", POST=api.add_secret, DELETE=api.remove_secret),
    ]
    for kind, name in _PATHS.items():
        acl, consumers = f"/{name}/{{id}}/acl", f"/{name}/{{id}}/consumers"
        changed = api.set_acl(kind)
        found += [
            route(acl, GET=api.acl(kind), PUT=changed, PATCH=changed, DELETE=api.open(kind)),
            route(
                consumers,
                GET=api.consumers(kind),
                POST=api.change_consumers(kind, add=True),
                DELETE=api.change_consumers(kind, add=False),
            ),
        ]
    return found


class _Api:
    def __init__(self, store: Store, secrets: Secrets, public_url: str) -> None:
        self._store, self._secrets, self._public_url = store, secrets, public_url
        self._run = Run(store)

    def _shown(self, request: Request) -> Shown:
        return Shown(self._public_url or str(request.base_url))

    async def _read(self, work: Callable[[ReadTransaction], T]) -> T:
        def run() -> T:
            with self._store.read() as tx:
                return work(tx)

        return await self._run.read(run)

    async def _write(self, work: Callable[[WriteTransaction], T]) -> T:
        return await self._run.write(self._store.run, work)

    # -- versions: for everybody

    async def versions(self, request: Request) -> Response:
        return json_response({"versions": [self._version(request)]}, 300)

    async def version(self, request: Request) -> Response:
        return json_response({"version": self._version(request)})

    def _version(self, request: Request) -> dict[str, Any]:
        base = (self._public_url or str(request.base_url)).rstrip("/")
        return {
            "id": "v1",
            "status": "CURRENT",
            "min_version": "1.0",
            "max_version": "1.1",
            "updated": "2021-02-10T00:00:00Z",
            "links": [{"rel": "self", "href": f"{base}{ROOT}/v1/"}],
        }

    # -- secrets and containers

    def list(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            project = _caller(context).require_lister(f"{TITLES[kind].capitalize()}(s) retrieval")
            asked = request.query_params
            filters = {"project_id": [project]} | {row: [asked[name]] for name, row in _LISTED.items() if name in asked}
            first, most = _number(asked.get("offset"), 0, None), _number(asked.get("limit"), _PAGE, _LARGEST_PAGE)
            there = await self._read(lambda tx: tx.query(kind, Query(filters, sort=[("created", False)])))
            found = [one for one in there if not use.is_over(one)]
            part = found[first : first + most]
            shown = self._shown(request)
            show = shown.secret if kind == SECRETS else shown.container
            body: dict[str, Any] = {_PATHS[kind]: [show(one) for one in part], "total": len(found)}
            if first + most < len(found):
                body["next"] = str(request.url.include_query_params(offset=first + most, limit=most))
            if first:
                body["previous"] = str(request.url.include_query_params(offset=max(0, first - most), limit=most))
            return json_response(body)

        return handle

    async def create_secret(self, request: Request, context: Context) -> Response:
        caller = _caller(context)
        project = caller.require_maker("Secret creation")
        wanted = shapes.parsed(await request.body(), shapes.NewSecret)
        payload, content_type = shapes.payload(wanted)
        values: Object = {
            "project_id": project,
            "creator_id": caller.user_id,
            "name": wanted.name or "",
            "secret_type": wanted.secret_type or "opaque",
            "expiration": shapes.expiration(wanted.expiration),
            CONTENT: content_type,
        }
        values |= {name: getattr(wanted, name) for name in ("algorithm", "mode", "bit_length")}
        made = await self._write(lambda tx: self._secrets.create(tx, values, payload))
        ref = self._shown(request).ref(SECRETS, made["id"])
        return json_response({"secret_ref": ref}, 201, {"Location": ref})

    async def show_secret(self, request: Request, context: Context) -> Response:
        """Until Barbican had `/payload` this told it as well."""
        accepted = request.headers.get("accept", "*/*")
        if "json" not in accepted and "*/*" not in accepted:
            return await self.payload(request, context)
        found = await self._seen(SECRETS, request, context)
        return json_response(self._shown(request).secret(found))

    async def payload(self, request: Request, context: Context) -> Response:
        caller, id = _caller(context), request.path_params["id"]

        def work(tx: ReadTransaction) -> tuple[Object, bytes]:
            found = use.find(tx, SECRETS, id)
            caller.require_read(found, "secret", "Secret payload retrieval")
            return found, self._secrets.payload(found)

        found, payload = await self._read(work)
        return Response(payload, media_type=found[CONTENT] or shapes.OCTETS, headers=_NO_STORE)

    async def fill_secret(self, request: Request, context: Context) -> Response:
        caller, id = _caller(context), request.path_params["id"]
        kind = shapes.normal(request.headers.get("content-type", ""))
        encoding = request.headers.get("content-encoding") or None
        payload = shapes.content(await request.body(), kind, encoding, raw=True)

        def work(tx: WriteTransaction) -> None:
            found = use.lock(tx, SECRETS, id)
            caller.require_change(found, "secret", "Secret update")
            self._secrets.fill(tx, found, payload, kind)

        await self._write(work)
        return Response(status_code=204)

    # -- orders: nothing is made here, neither keys nor certificates

    async def no_orders(self, request: Request, context: Context) -> Response:
        _caller(context).require_lister("Orders retrieval")
        return json_response({"orders": [], "total": 0})

    async def refuse_order(self, request: Request, context: Context) -> Response:
        _caller(context).require_maker("Order creation")
        raise BadKeyRequest(reason=_NO_ORDERS)

    async def unknown_order(self, request: Request, context: Context) -> Response:
        _caller(context)
        raise KeyNotFound(what="order")

    async def create_container(self, request: Request, context: Context) -> Response:
        caller = _caller(context)
        project = caller.require_maker("Container creation")
        wanted = shapes.parsed(await request.body(), shapes.NewContainer)
        pairs = [(one.name or "", shapes.id_of(one.secret_ref, "secret")) for one in wanted.secret_refs]

        def work(tx: WriteTransaction) -> Object:
            self._check_readable(tx, caller, pairs)
            values: Object = {"project_id": project, "creator_id": caller.user_id, "name": wanted.name or ""}
            return use.create_container(tx, values | {"type": wanted.type, "secrets": pairs})

        made = await self._write(work)
        ref = self._shown(request).ref(CONTAINERS, made["id"])
        return json_response({"container_ref": ref}, 201, {"Location": ref})

    async def show_container(self, request: Request, context: Context) -> Response:
        found = await self._seen(CONTAINERS, request, context)
        return json_response(self._shown(request).container(found))

    async def add_secret(self, request: Request, context: Context) -> Response:
        return await self._edit_container(request, context, add=True)

    async def remove_secret(self, request: Request, context: Context) -> Response:
        return await self._edit_container(request, context, add=False)

    async def _edit_container(self, request: Request, context: Context, *, add: bool) -> Response:
        caller, id = _caller(context), request.path_params["id"]
        wanted = shapes.parsed(await request.body(), shapes.SecretRef)
        one = (wanted.name or "", shapes.id_of(wanted.secret_ref, "secret"))

        def work(tx: WriteTransaction) -> None:
            found = use.lock(tx, CONTAINERS, id)
            caller.require_change(found, "container", "Container update")
            before = [(name, secret) for name, secret in found["secrets"]]
            if not add and one not in before:
                raise KeyNotFound(what="secret")
            if add:
                self._check_readable(tx, caller, [one])
            use.edit_secrets(tx, found, [*before, one] if add else [other for other in before if other != one])

        await self._write(work)
        ref = self._shown(request).ref(CONTAINERS, id)
        return json_response({"container_ref": ref}, 201) if add else Response(status_code=204)

    def _check_readable(self, tx: WriteTransaction, caller: Caller, pairs: Sequence[tuple[str, str]]) -> None:
        for _, secret in pairs:
            caller.require_read(use.find(tx, SECRETS, secret), "secret", "Secret retrieval")

    def delete(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            caller, id = _caller(context), request.path_params["id"]

            def work(tx: WriteTransaction) -> None:
                found = use.lock(tx, kind, id)
                caller.require_change(found, TITLES[kind], f"{TITLES[kind].capitalize()} deletion")
                tx.delete(kind, id)

            await self._write(work)
            return Response(status_code=204)

        return handle

    async def _seen(self, kind: str, request: Request, context: Context) -> Object:
        caller, id = _caller(context), request.path_params["id"]
        found = await self._read(lambda tx: use.find(tx, kind, id))
        if not caller.may_see(found):
            raise KeyNotFound(what=TITLES[kind])
        return found

    # -- what hangs on them

    async def metadata(self, request: Request, context: Context) -> Response:
        return json_response({"metadata": (await self._seen(SECRETS, request, context))["metadata"]})

    async def put_metadata(self, request: Request, context: Context) -> Response:
        caller, id = _caller(context), request.path_params["id"]
        wanted = shapes.parsed(await request.body(), shapes.Metadata).metadata

        def work(tx: WriteTransaction) -> None:
            found = use.lock(tx, SECRETS, id)
            caller.require_change(found, "secret", "Secret metadata update")
            tx.update(SECRETS, id, {"metadata": wanted, "updated": use.now()})

        await self._write(work)
        return json_response({"metadata_ref": f"{self._shown(request).ref(SECRETS, id)}/metadata"}, 201)

    def acl(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            return json_response(self._shown(request).acl(await self._seen(kind, request, context)))

        return handle

    def set_acl(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            wanted = shapes.parsed(await request.body(), shapes.Acl)
            whole = request.method == "PUT"
            await self._change_acl(
                kind, request, context, lambda old: shapes.acl_of(wanted, None if whole else old, use.now())
            )
            return json_response({"acl_ref": f"{self._shown(request).ref(kind, request.path_params['id'])}/acl"})

        return handle

    def open(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            await self._change_acl(kind, request, context, lambda _: None)
            return Response(status_code=200)

        return handle

    async def _change_acl(
        self, kind: str, request: Request, context: Context, decide: Callable[[Object | None], Object | None]
    ) -> None:
        caller, id = _caller(context), request.path_params["id"]

        def work(tx: WriteTransaction) -> None:
            found = use.lock(tx, kind, id)
            caller.require_change(found, TITLES[kind], f"{TITLES[kind].capitalize()}ACL(s) Update")
            tx.update(kind, id, {"acl": decide(found["acl"])})

        await self._write(work)

    def consumers(self, kind: str) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            found = await self._seen(kind, request, context)
            most = _number(request.query_params.get("limit"), MOST_CONSUMERS, None)
            first = _number(request.query_params.get("offset"), 0, None)
            part = found["consumers"][first : first + most]
            return json_response({"consumers": part, "total": len(found["consumers"])})

        return handle

    def change_consumers(self, kind: str, *, add: bool) -> Handler:
        async def handle(request: Request, context: Context) -> Response:
            caller, id = _caller(context), request.path_params["id"]
            shape = shapes.SecretConsumer if kind == SECRETS else shapes.ContainerConsumer
            one = shapes.plain(shapes.parsed(await request.body(), shape))

            def work(tx: WriteTransaction) -> Object:
                found = use.lock(tx, kind, id)
                caller.require_read(found, TITLES[kind], "Consumer update")
                rest = [other for other in found["consumers"] if other != one]
                if not add and len(rest) == len(found["consumers"]):
                    raise KeyNotFound(what="consumer")
                return use.set_consumers(tx, kind, found, [*rest, one] if add else rest)

            after = await self._write(work)
            shown = self._shown(request)
            return json_response(shown.secret(after) if kind == SECRETS else shown.container(after))

        return handle


def _caller(context: Context) -> Caller:
    return Caller(context.user_id, context.project_id, context.roles)


def _number(text: str | None, usual: int, most: int | None) -> int:
    if text is None:
        return usual
    found = whole_number(text)
    if found is None or found < 0:
        raise BadKeyRequest(reason=f"{text} is no number of secrets")
    return found if most is None else min(found, most)
