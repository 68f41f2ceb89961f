"""An external network for tests of routers' gateways: flat, on `public`, and its next hop."""

from tests.netns.harness import Lab

from netweft.lab import host
from netweft.lab.host import Host

FLAT: dict[str, object] = {"provider:network_type": "flat", "provider:physical_network": "public"}
OUTSIDE = "203.0.113.1"  # the next hop
POOL = ("203.0.113.10", "203.0.113.99")


def external_network(lab: Lab) -> str:
    """Its id."""
    with lab.cloud() as cloud:
        made = cloud.create("networks", name="ext", **{"router:external": True}, **FLAT)
        cloud.create(
            "subnets", network_id=made["id"], cidr="203.0.113.0/24", ip_version=4, gateway_ip=OUTSIDE,
            allocation_pools=[dict(zip(("start", "end"), POOL, strict=True))], enable_dhcp=False,
        )  # fmt: skip
    return str(made["id"])


def next_hop(lab: Lab, *addresses: str) -> Host:
    """addresses: further ones."""
    made = Host(name="outside", physical_network="public", vlan=0, addresses=(f"{OUTSIDE}/24", *addresses))
    host.add(lab.layout, made)
    return made
