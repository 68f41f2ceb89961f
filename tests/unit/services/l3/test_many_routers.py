"""What it costs to look at all routers of a node: only what has changed, when something has."""

import pytest
from tests.unit.services.l3.gateways.test_flows import BLUE, OUTSIDE, R

from netweft.reconcile.memo import Reader
from netweft.services.l3 import local_routers
from netweft.services.l3.local_routers import LocalRouters
from netweft.services.l3.values import LocalRouter
from netweft.services.l3.wiring import local_router
from netweft.testing.region import Region, floating_ip, gateway, port, router, subnet

OTHER, A1 = router(77), port(1, BLUE)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> tuple[Region, LocalRouters, list[str]]:
    """The routers of hv1, and those that are worked out."""
    region = Region(nodes=2)
    region.create(BLUE, OUTSIDE, R, OTHER, subnet(OUTSIDE, "203.0.113.0/24"))
    region.create(gateway(1, R, OUTSIDE, "hv1", "203.0.113.5"), gateway(77, OTHER, OUTSIDE, "hv1", "203.0.113.77"))
    region.create(A1)
    region.plug("hv1", A1)
    region.settle()
    worked_out: list[str] = []

    def counted(read: Reader, id: str) -> LocalRouter | None:
        worked_out.append(id)
        return local_router(read, id)

    for place in ("l3.local_routers", "units"):
        monkeypatch.setattr(f"netweft.services.{place}.local_router", counted)
    return region, region.nodes["hv1"].rendering.routers, worked_out


def test_nothing_is_worked_out_twice(here: tuple[Region, LocalRouters, list[str]]) -> None:
    region, routers, worked_out = here
    first, version = routers.gateways(), routers.version
    assert [one.port.router_id for one in first] == sorted([R.id, OTHER.id])
    worked_out.clear()
    assert routers.gateways() is first
    assert routers.version == version
    region.create(floating_ip(5, OTHER, OUTSIDE, "203.0.113.50", "10.0.0.1"))
    region.settle()
    assert routers.version != version
    assert len(routers.gateways()) == 3
    assert worked_out == [OTHER.id]


def test_who_has_changed_is_known(here: tuple[Region, LocalRouters, list[str]]) -> None:
    region, routers, _ = here
    at, all = routers.changed(0)
    assert set(all) == {R.id, OTHER.id}
    assert not list(routers.changed(at)[1])
    region.gateway_ports.clear()
    region.create(gateway(1, R, OUTSIDE, "hv1", "203.0.113.5"))
    region.settle()
    after, changed = routers.changed(at)
    assert list(changed) == [OTHER.id]
    assert not list(routers.changed(after)[1])


def test_what_is_not_written_down_any_more_is_everything(
    here: tuple[Region, LocalRouters, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    region, routers, _ = here
    at, _ = routers.changed(0)
    monkeypatch.setattr(local_routers, "MOST_LOGGED", 0)
    region.create(gateway(1, R, OUTSIDE, "hv1", "203.0.113.6"))
    region.settle()
    after, changed = routers.changed(at)
    assert set(changed) == {R.id, OTHER.id}
    assert not list(routers.changed(after)[1])


def test_one_that_makes_no_sense_is_in_nobodys_way(here: tuple[Region, LocalRouters, list[str]]) -> None:
    region, routers, _ = here
    region.create(gateway(77, OTHER, OUTSIDE, "hv1", "nonsense"))
    region.settle()
    assert [one.port.router_id for one in routers.gateways()] == [R.id]
