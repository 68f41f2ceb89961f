"""What mechanisms have against a port's binding.  A use case asks here, as it asks `segments` for segment types.

Of this process: whoever runs mechanisms says which.
"""

from collections.abc import Sequence

from netweft.model import Network
from netweft.plugins.mechanisms import Mechanism

_known: dict[object, Sequence[Mechanism]] = {}


def know(owner: object, mechanisms: Sequence[Mechanism]) -> None:
    _known[owner] = mechanisms


def forget(owner: object) -> None:
    _known.pop(owner, None)


def any_known() -> bool:
    return any(_known.values())


def against(host: str, network: Network) -> str:
    """Why a port on this network cannot be on this host; empty: it can."""
    said = (one.can_bind(host, network) for mechanisms in list(_known.values()) for one in mechanisms)
    return next(filter(None, said), "")
