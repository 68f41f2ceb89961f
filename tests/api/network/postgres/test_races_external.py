"""Who a network is external to, raced on two servers: withdrawn or needed, never both."""

import pytest
from tests.examples import rounds

from .region import Region, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)


def _entry(network: str, target: str) -> dict[str, str]:
    return {"object_type": "network", "object_id": network, "action": "access_as_external", "target_tenant": target}


async def _agrees(region: Region, network: str) -> bool:
    """The attribute says whether there is an entry."""
    shown = await region.admin.get(f"/networks/{network}")
    left = await region.admin.get(f"/rbac-policies?object_id={network}")
    return bool(shown["router:external"]) == bool(left)


async def test_an_entry_is_withdrawn_while_a_gateway_is_made(region: Region) -> None:
    """The port is an admin's to make; it stays, and with it what it needs."""
    admin, blue = region.admin, region.blue.project
    for _ in range(ROUNDS):
        network, _ = await admin.network()
        entry = (await admin.make("rbac_policy", **_entry(network, blue)))["id"]
        port = {"network_id": network, "device_owner": "network:router_gateway", "project_id": blue}
        withdrawn, made = await together(
            admin("DELETE", f"/rbac-policies/{entry}"), admin("POST", "/ports", {"port": port})
        )
        assert made == 201
        assert withdrawn in (204, 409)  # before the port was there, or not at all
        assert await _agrees(region, network)


async def test_entries_come_and_go_while_the_attribute_is_set(region: Region) -> None:
    admin = region.admin
    for n in range(3 * ROUNDS):
        network, _ = await admin.network()
        path = f"/networks/{network}"
        targets = [region.blue.project, region.red.project, "*"]
        entries = [(await admin.make("rbac_policy", **_entry(network, target)))["id"] for target in targets[:2]]
        codes = await together(
            *(admin("DELETE", f"/rbac-policies/{id}") for id in entries),
            admin("PUT", path, {"network": {"router:external": n % 2 == 0}}),
            admin("POST", "/rbac-policies", {"rbac_policy": _entry(network, targets[2])}),
        )
        assert set(codes[:2]) <= {204, 404}
        assert codes[2] == 200
        assert codes[3] in (201, 409)
        assert await _agrees(region, network)
        assert (await admin("DELETE", path)).status_code == 204


async def test_the_default_one_is_made_while_it_is_withdrawn(region: Region) -> None:
    admin = region.admin
    for _ in range(ROUNDS):
        network = (await admin.make("network", **{"router:external": True}))["id"]
        (everybody,) = await admin.get(f"/rbac-policies?object_id={network}")
        codes = await together(
            admin("DELETE", f"/rbac-policies/{everybody['id']}"),
            admin("PUT", f"/networks/{network}", {"network": {"is_default": True}}),
        )
        shown = await admin.get(f"/networks/{network}")
        assert shown["is_default"] == (codes[0] == 409), codes
        assert await _agrees(region, network)
        assert (await admin("DELETE", f"/networks/{network}")).status_code == 204
