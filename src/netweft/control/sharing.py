"""Use cases of what may be shared: `shared` is an RBAC entry for everybody, nothing that the object itself keeps."""

from netweft.control import rbac
from netweft.control.standard import UseCases
from netweft.store import Object, WriteTransaction

SHARED = "shared"


class Shareable:
    """Around the use cases of a kind that RBAC knows."""

    def __init__(self, kind: str, inner: UseCases) -> None:
        self._kind = kind
        self._inner = inner

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        flags = [one.pop(SHARED, False) for one in wanted]
        created = self._inner.create(tx, wanted)
        for one, shared in zip(created, flags, strict=True):
            rbac.share_with_everybody(tx, self._kind, one, shared=shared)
        return created

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        rest = {name: value for name, value in changes.items() if name != SHARED}
        if SHARED in changes:
            rbac.share_with_everybody(tx, self._kind, current, shared=changes[SHARED])
        return self._inner.update(tx, current, rest)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        """What was said about it goes with it."""
        rbac.forget(tx, self._kind, current["id"])
        self._inner.delete(tx, current)
