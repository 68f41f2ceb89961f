"""Port forwardings raced on two servers: one port leads to one place, and nowhere that is gone."""

from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, together
from .test_races_floating_ips import Place, _lead, _made, _make, _place

pytestmark = pytest.mark.postgres
ROUNDS = rounds(2)


async def _inside(who: Somebody, port: str) -> dict[str, Any]:
    found = await who.get(f"/ports/{port}")
    return {"internal_port_id": port, "internal_ip_address": found["fixed_ips"][0]["ip_address"], "protocol": "tcp"}


def _forward(who: Somebody, id: str, inside: dict[str, Any], external: str, internal: str) -> Any:
    ranges = {"external_port_range": external, "internal_port_range": internal}
    return who("POST", f"/floatingips/{id}/port_forwardings", {"port_forwarding": inside | ranges})


async def _sound(region: Region, ids: list[str]) -> list[dict[str, Any]]:
    """None overlaps another, each leads to an address that is there, and its floating IP to no port besides."""
    found = []
    for id in ids:
        floating_ip = await region.admin.get(f"/floatingips/{id}")
        forwardings = await region.admin.get(f"/floatingips/{id}/port_forwardings")
        assert (floating_ip["router_id"] is None) == (not forwardings and floating_ip["port_id"] is None)
        assert not (forwardings and floating_ip["port_id"])
        outside = [port for one in forwardings for port in _ports(one["external_port_range"])]
        assert len(outside) == len(set(outside))
        found += forwardings
    inside = [(one["internal_ip_address"], port) for one in found for port in _ports(one["internal_port_range"])]
    assert len(inside) == len(set(inside))
    for one in found:
        port = await region.admin.get(f"/ports/{one['internal_port_id']}")
        assert one["internal_ip_address"] in {fixed["ip_address"] for fixed in port["fixed_ips"]}
        assert await region.admin.get(f"/floatingips?port_id={port['id']}") == []
    return found


def _ports(text: str) -> range:
    first, last = map(int, text.split(":"))
    return range(first, last + 1)


async def test_overlapping_ports(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        at = await _place(region, red, 2)
        ids = [await _made(red, at) for _ in range(2)]
        one, other = [await _inside(red, port) for port in at.ports]
        codes = await together(
            _forward(red, ids[0], one, "80:90", "80:90"),
            _forward(red, ids[0], other, "90:100", "90:100"),
            _forward(red, ids[1], one, "180:190", "85:95"),
            _forward(red, ids[1], other, "190:200", "100:110"),
        )
        assert set(codes) <= {201, 400}
        assert 1 <= sum(code == 201 for code in codes) <= 3
        await _sound(region, ids)


async def test_a_floating_ip_forwards_or_leads(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        at = await _place(region, red, 2)
        one, other = await _made(red, at), await _made(red, at)
        inside = await _inside(red, at.ports[0])
        codes = await together(
            _forward(red, one, inside, "1:1", "1:1"),
            _lead(red, one, at.ports[1]),
            _lead(red, other, at.ports[0]),
            red("DELETE", f"/floatingips/{one}"),
            _make(red, at, port_id=at.ports[0]),
        )
        assert not {code for code in codes if code >= 500}
        left = [id for id in (one, other) if (await red("GET", f"/floatingips/{id}")).status_code == 200]
        await _sound(region, left)


async def test_what_it_leads_to_goes_meanwhile(region: Region) -> None:
    red = region.red
    for n in range(3 * ROUNDS):
        at = await _place(region, red, 1)
        one, port = await _made(red, at), at.ports[0]
        inside = await _inside(red, port)
        prefix = inside["internal_ip_address"].rpartition(".")[0]
        fixed = {"fixed_ips": [{"subnet_id": at.subnet, "ip_address": f"{prefix}.200"}]}
        requests: tuple[tuple[str, str, Any], ...] = (
            ("DELETE", f"/ports/{port}", None),
            ("PUT", f"/ports/{port}", {"port": fixed}),
            ("PUT", f"/routers/{at.router}/remove_router_interface", {"subnet_id": at.subnet}),
        )
        goes = requests[n % 3]
        made, gone = await together(_forward(red, one, inside, "1:9", "1:9"), red(*goes))
        assert (made, gone) in ((201, 204), (404, 204), (201, 200), (400, 200), (201, 409)), (made, gone)
        await _sound(region, [one])


async def test_all_at_once(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        at: Place = await _place(region, red, 2)
        one = await _made(red, at)
        first, second = [await _inside(red, port) for port in at.ports]
        made = [(await _forward(red, one, inside, f"{n}:{n}", f"{n}:{n}")) for n, inside in ((1, first), (2, second))]
        paths = [f"/floatingips/{one}/port_forwardings/{answer.json()['port_forwarding']['id']}" for answer in made]
        codes = await together(
            red("PUT", paths[0], {"port_forwarding": {"internal_port_id": at.ports[1]}}),
            red("PUT", paths[1], {"port_forwarding": {"external_port": 1}}),
            red("DELETE", paths[0]),
            red("DELETE", f"/ports/{at.ports[0]}"),
            red("PUT", paths[1], {"port_forwarding": {"internal_port_id": at.ports[0]}}),
            red("PUT", f"/floatingips/{one}", {"floatingip": {"description": "x"}}),
        )
        assert not {code for code in codes if code >= 500}, codes
        await _sound(region, [one])
