"""What mechanisms have against a port's binding, and which of them it is behind.

A use case asks here, as it asks `segments` for segment types.

Of this process: whoever runs mechanisms says which.
"""

from collections.abc import Sequence

from netweft.model import Network
from netweft.plugins.mechanisms import IsTunnelEnd, Link, Mechanism

_known: dict[object, Sequence[Mechanism]] = {}


def know(owner: object, mechanisms: Sequence[Mechanism]) -> None:
    _known[owner] = mechanisms


def forget(owner: object) -> None:
    _known.pop(owner, None)


def against(host: str, network: Network, links: Sequence[Link] = ()) -> str | None:
    """Why a port on this network cannot be on this host, or at these links; empty: it can.  None: nobody says
    anything."""
    asked = (one.can_bind(host, network, links) for mechanisms in list(_known.values()) for one in mechanisms)
    said = [word for word in asked if word is not None]
    return next(filter(None, said), "") if said else None


def tunnel_end(links: Sequence[Link]) -> str:
    """The host at which tunnels end for what is plugged in at these links; empty: none does."""
    every = (one for mechanisms in list(_known.values()) for one in mechanisms)
    return next((one.name for one in every if isinstance(one, IsTunnelEnd) and one.ends(links)), "")
