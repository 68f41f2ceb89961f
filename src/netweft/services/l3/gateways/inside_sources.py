"""Nobody outside has an address of the router's own networks: what says so, it drops.

Else a host on the external network could say that it is a member of a security group, whom a rule lets in, by a
floating IP, by IPv6, or where nothing is translated.  No answer would find back to it (RFC 2827, RFC 3704).
"""

from collections.abc import Iterator
from typing import Final

from netweft.services.addresses import overlap
from netweft.services.fields import LOCAL_VLAN, ROUTER, Reason, cookie
from netweft.services.l3.routing.routes import ETH, SRC
from netweft.services.l3.values import LocalRouter
from netweft.services.pipeline import INT, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

DROP: Final = 60  # before all that lets in
FROM_OUTSIDE = INT["from_outside"]


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if not here.router.admin_state_up:
        return
    for exit in here.exits:
        owner = cookie(Reason.ROUTER_GATEWAY, exit.port.id)
        for net in sorted({net for one in here.interfaces for net in one.on_link}):
            # of a network that it has its gateway on, an interface may be on, too
            if not any(overlap(net, outside) for outside in exit.on_link):
                match: dict[str, Value] = {ROUTER: here.number, LOCAL_VLAN: exit.network.vlan}
                says = (net.value, net.mask) if net.mask is not None else net.value
                yield FROM_OUTSIDE.flow(DROP, owner, match | {"eth_type": ETH[net.version], SRC[net.version]: says})


INSIDE_SOURCES = Service("inside sources", router=router)
