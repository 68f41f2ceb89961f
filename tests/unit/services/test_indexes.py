"""Each look-up is told of exactly the objects that it looks at: one that it would miss is a fact that nobody makes."""

from typing import Any, get_args

import pytest

from netweft.model import Object
from netweft.services.health.indexes import Watchable
from netweft.services.indexes import Index, Indexes
from netweft.services.l2.local_vlans import ROUTER_ZONES, LocalVlans
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.metering.labels import Labels
from netweft.services.l3.neighbours.advertisers import Advertisers
from netweft.services.l3.neighbours.port_macs import PortMacs
from netweft.services.l3.neighbours.unknown_locations import Domains, UnguardedPorts
from netweft.services.l3.port_forwarding.wiring import ForwardedAddresses
from netweft.services.l3.router_numbers import RouterNumbers
from netweft.services.l3.routing.watched_hops import WatchedHops
from netweft.services.lb.admitted import Sources
from netweft.services.lb.indexes import Vips
from netweft.services.rendering import Rendering
from netweft.services.security.paired_addresses import PairedAddresses
from netweft.services.subnets import Subnets
from netweft.services.values import HostFacts

ALL = (
    *(Subnets(), PairedAddresses(), Interfaces("hv1"), Advertisers(), ForwardedAddresses(), UnguardedPorts()),
    *(Domains("hv1"), Labels(), WatchedHops(), RouterNumbers(), Watchable(), Vips(), Sources(), PortMacs()),
)


class Looked(Exception):
    """Somebody wants to know more of an object than its type."""


def blank(kind: type) -> Any:
    class Blank:
        def __getattribute__(self, name: str) -> Any:
            if name == "__class__":
                return kind
            raise Looked

    return Blank()


@pytest.mark.parametrize("look_up", ALL, ids=lambda one: type(one).__name__)
def test_a_look_up_names_the_types_that_it_looks_at(look_up: Index) -> None:
    assert {kind for kind in get_args(Object) if looks_at(look_up, kind)} == set(look_up.of)


def looks_at(look_up: Index, kind: type) -> bool:
    try:
        list(look_up.changed(None, blank(kind)))
    except (Looked, KeyError):  # or looks its type up
        return True
    return False


def test_none_of_the_renderings_is_left_out() -> None:
    told = {type(one) for some in Indexes(*ALL)._of.values() for one in some}
    host = HostFacts(name="hv1")
    rendering = Rendering(host, LocalVlans(1, 4094), LocalVlans(*ROUTER_ZONES))
    assert {type(one) for some in rendering._indexes._of.values() for one in some} == told
