"""What tests on OVN's hosts begin with: two networks behind a router with a gateway, and its next hop outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import external_network, next_hop

from netweft.lab import host
from netweft.lab.commands import run
from netweft.lab.host import Host
from netweft.lab.vm import Vm

PATIENCE = 90.0  # for `ovn-northd` and both `ovn-controller` on a busy machine


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


def until_reached(lab: Lab, frm: Vm, to: str, *, wanted: bool = True) -> None:
    """Asked anew each second: what is told OVN is in place some time after the API's answer, and one ping ends with
    the first error that it hears."""
    until(lambda: lab.ping(frm, to, seconds=1) == wanted, f"{frm.name} reaches {to}: {wanted}", seconds=PATIENCE)


def nbctl(lab: Lab, *words: str) -> str:
    return run("ovn-nbctl", f"--db=unix:{lab.layout.folder}/ovn/nb.sock", "--timeout=20", *words)
