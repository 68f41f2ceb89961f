"""What the store can refuse, as types.  Callers above translate them; no SQL exception leaves this package."""


class StoreError(Exception):
    """Any of the refusals below."""


class Duplicate(StoreError):
    """An object with this kind and id is already there."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"{kind} {id} exists")
        self.kind, self.id = kind, id


class Missing(StoreError):
    """The object to change, to delete, to link to or to start a page after is not there."""

    def __init__(self, kind: str, id: str = "") -> None:
        super().__init__(f"{kind} {id} is not there")
        self.kind, self.id = kind, id


class InUse(StoreError):
    """The object cannot go: others link to it."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"{kind} {id} is in use")
        self.kind, self.id = kind, id


class Taken(StoreError):
    """Somebody else holds this value in this scope."""

    def __init__(self, scope: str, value: str) -> None:
        super().__init__(f"{value} is taken in {scope}")
        self.scope, self.value = scope, value


class NotHeld(StoreError):
    """Another server holds this follower now."""


class ChangesGone(StoreError):
    """The change log does not reach back that far any more: take a snapshot."""


class UnknownSchema(StoreError):
    """The database was made by a newer version, or by somebody else."""


class UnknownAddress(StoreError):
    """No database can have an address like that.  The message does not hold it: there may be a password in it."""


class Busy(StoreError):
    """Lost against a concurrent transaction (deadlock, lock timeout).  Nothing was changed; trying again can help."""


class Unavailable(Exception):
    """The database cannot be reached, is full, or takes no writes.  Nobody tries again: whether a commit that was cut
    off was done is not known.  No StoreError, since the request was valid."""
