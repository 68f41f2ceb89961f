"""What tests on OVN's hosts begin with: two networks behind a router with a gateway, and its next hop outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.netns.harness import Lab
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import external_network, next_hop

from netweft.lab import host
from netweft.lab.host import Host


class Networks(NamedTuple):
    """Ids."""

    blue: str
    red: str
    external: str
    router: str
    outside: Host


@contextmanager
def networks(lab: Lab) -> Iterator[Networks]:
    blue, red = lab.network("10.60.0.0/24"), lab.network("10.61.0.0/24")
    external, outside = external_network(lab), next_hop(lab)
    router = make_router(lab, blue, red, external_gateway_info={"network_id": external})
    lab.let_strangers_in()
    yield Networks(blue, red, external, router["id"], outside)
    host.remove(lab.layout, outside)
