"""What mechanisms have against a port's binding, and which of them it is behind.

A use case asks here, as it asks `segments` for segment types.

Of this process: whoever runs mechanisms says which.
"""

from collections.abc import Sequence

import structlog

from netweft.model import Network
from netweft.plugins.mechanisms import IsTunnelEnd, Link, Mechanism, Notes, Rack, Row

log = structlog.get_logger(__name__)

_known: dict[object, Sequence[Mechanism]] = {}


def know(owner: object, mechanisms: Sequence[Mechanism]) -> None:
    _known[owner] = mechanisms


def forget(owner: object) -> None:
    _known.pop(owner, None)


def against(host: str, network: Network, links: Sequence[Link] = ()) -> str | None:
    """Why a port on this network cannot be on this host, or at these links; empty: it can.  None: nobody says
    anything."""
    asked = (_said(one, host, network, links) for mechanisms in list(_known.values()) for one in mechanisms)
    said = [word for word in asked if word is not None]
    return next(filter(None, said), "") if said else None


def _said(mechanism: Mechanism, host: str, network: Network, links: Sequence[Link]) -> str | None:
    """One that cannot say has something against it: what it would not have let on is not let on."""
    try:
        return mechanism.can_bind(host, network, links)
    except Exception:
        log.exception("a mechanism cannot say whether a port may be bound", mechanism=mechanism.name)
        return f"{mechanism.name} cannot say whether it may be there: the server's log has why"


def tunnel_end(links: Sequence[Link]) -> str:
    """The host at which tunnels end for what is plugged in at these links; empty: none does."""
    return next((one.name for one in _tunnel_ends() if one.ends(links)), "")


def rack_of(host: str) -> Rack | None:
    """None: the host is on its own."""
    found = ((one.rack_of(host), one.name) for one in _tunnel_ends())
    return next((Rack(physical, name) for physical, name in found if physical), None)


def noted(port: Row) -> list[str]:
    """What mechanisms say of this port, though it has what they can give."""
    every = [one for mechanisms in list(_known.values()) for one in mechanisms if isinstance(one, Notes)]
    return [said for one in every if (said := _noted(one, port))]


def _noted(mechanism: Notes, port: Row) -> str:
    """One that fails says nothing: ports are read all the same."""
    try:
        return mechanism.noted(port)
    except Exception:
        log.exception("a mechanism cannot say what it has to say of a port", mechanism=type(mechanism).__name__)
        return ""


def _tunnel_ends() -> list[IsTunnelEnd]:
    return [one for mechanisms in list(_known.values()) for one in mechanisms if isinstance(one, IsTunnelEnd)]
