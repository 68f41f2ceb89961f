"""Routers that are kept between refreshes: as they would be if they were worked out anew, at each moment."""

from collections.abc import Callable

from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_several import FIRST_PORT, HOPS, OTHER_PORT, R, with_gateways
from tests.unit.services.l3.gateways.test_several import region as region

from netweft.services.l3.wiring import local_router
from netweft.services.values import HostFacts
from netweft.testing.region import Region, gateway


def anew(region: Region) -> object:
    return local_router(region.nodes["hv1"].rendering._memo, R.id)


def test_it_is_what_its_facts_make_it(region: Region) -> None:
    routers, rendering = region.nodes["hv1"].rendering.routers, region.nodes["hv1"].rendering
    before = routers.get(R.id)
    assert before == anew(region)
    assert routers.get(R.id) is before, "it is kept"
    moved = gateway(1, R, region.networks[FIRST_PORT.network_id], "hv1", "203.0.113.9")
    changes: tuple[Callable[[], None], ...] = (
        lambda: rendering.fall_silent(OTHER_PORT.network_id, [HOPS[OTHER_PORT]]),
        lambda: rendering.put(moved),
        lambda: rendering.put(with_gateways(OTHER_PORT, ecmp=False)),
        lambda: rendering.put(replace(with_gateways(OTHER_PORT), admin_state_up=False)),
        lambda: rendering.set_host(HostFacts(name="hv9")),
        lambda: rendering.drop(("router", R.id)),
    )
    for changed in changes:
        last = routers.get(R.id)
        changed()
        assert routers.get(R.id) == anew(region) != last, "before it is rendered"
        rendering.refresh()
        assert routers.get(R.id) == anew(region), "and after"
    assert routers.get(R.id) is None
    assert routers.gateways() == []
