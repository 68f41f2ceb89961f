"""What ports of a network are called, wherever they are bound, or nowhere."""

import pytest
from msgspec.structs import replace

from netweft.model import NamedPort
from netweft.services.kinds import NAMED
from netweft.services.names import Named, Place
from netweft.testing.region import Region, network, port, subnet

NET = replace(network(1), dns_domain="corp.test.")
HERE, THERE = port(10, NET, dns_name="web"), port(11, NET, dns_name="db", dns_domain="own.test.")
VIP = NamedPort(id="vip", network_id=NET.id, ip_addresses=("10.0.0.100",), dns_name="shop")


@pytest.fixture
def region() -> Region:
    made = Region(nodes=2)
    made.create(NET, subnet(NET, "10.0.0.0/24"), HERE, THERE)
    made.plug("hv1", HERE)
    made.plug("hv2", THERE)
    made.nodes["hv1"].rendering.put(VIP)
    made.settle()
    return made


def told(region: Region) -> set[tuple[str, str, Place]]:
    applied = region.nodes["hv1"].applied.items()
    found = [item for (part, _), item in applied if part == NAMED and isinstance(item, Named)]
    return {(one.name, one.domain, one.place) for one in found}


def test_each_by_its_own_domain_or_the_networks(region: Region) -> None:
    assert told(region) == {
        ("web", "corp.test.", Place.HERE),
        ("db", "own.test.", Place.ELSEWHERE),
        ("shop", "corp.test.", Place.NOWHERE),
    }


def test_one_that_is_bound_or_goes_is_not_called_so_any_more(region: Region) -> None:
    region.nodes["hv1"].rendering.drop(("named_port", VIP.id))
    region.settle()
    assert "shop" not in {name for name, *_ in told(region)}
