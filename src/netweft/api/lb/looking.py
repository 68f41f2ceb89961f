"""What a key manager has of what a request names, looked at before the request's transaction."""

from collections.abc import Collection
from typing import Final, Protocol

from starlette.requests import Request

from netweft.api.lb import policy
from netweft.api.lb.descriptions import BALANCER, Kind
from netweft.api.running import Run
from netweft.control.key_manager.contents import Reference
from netweft.control.lb.tls import KINDS, Looked, references
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS
from netweft.plugins.identity import Context
from netweft.store import Object, Store

_OWNERS: Final = (("loadbalancer_id", BALANCERS), ("listener_id", LISTENERS))  # of what is to be made


class Keys(Protocol):
    async def read(self, project_id: str, references: Collection[Reference], token: str) -> Looked:
        """token: of who names them."""
        ...


class _NoKeys:
    async def read(self, project_id: str, references: Collection[Reference], token: str) -> Looked:
        return {one: LookupError(one.ref) for one in references}


NO_KEYS: Final[Keys] = _NoKeys()


class Looking:
    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys, self._run = store, keys, Run(store)

    async def at(self, request: Request, context: Context, kind: Kind, id: str | None, values: Object) -> Looked:
        """id: of what changes; None: it is to be made."""
        if not any(references(values)):
            return {}
        found = await self._run.read(self._owner, context, kind, id, values)
        if found is None:
            return {}
        project, before = found
        named = {name: value for name, value in before.items() if KINDS.get(name, "certificate") != "certificate"}
        policy.require_write(context, project)
        wanted = set(references(named | values))
        return await self._keys.read(project, wanted, request.headers.get("x-auth-token", ""))

    def _owner(self, context: Context, kind: Kind, id: str | None, values: Object) -> tuple[str, Object] | None:
        """The project, and what there is; None: the transaction finds that it cannot be done."""
        if kind is BALANCER:
            project = values.get("project_id") or context.project_id
            return (project, {}) if project else None
        with self._store.read() as tx:
            if id is not None:
                row = tx.get(kind.kind, id)
                return (row["project_id"], row) if row else None
            named = ((of, values[name]) for name, of in _OWNERS if values.get(name))
            row = next((found for of, each in named if (found := tx.get(of, each))), None)
            return (row["project_id"], {}) if row else None
