"""What is meant by the two ends: ports, floating IPs, load balancers, addresses, outside; of those that the caller
sees."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from netweft.api.querystring import Listing
from netweft.api.resources.explain.balancers import Balancing
from netweft.api.resources.trace import named
from netweft.api.resources.trace.arguments import OUTSIDE, address_of
from netweft.api.service import Service
from netweft.control.errors import BadRequest, NotFound
from netweft.control.l2.names import ASSIGNMENT
from netweft.plugins.identity import Context
from netweft.store import Object, Query

PORTS, FLOATING, ADDRESS = "ports", "floatingips", "address"
_FIELDS = frozenset({"id", "name", "project_id", "network_id", "fixed_ips", "port_id", "floating_ip_address"})


_MOST_NAMED = 500  # ports of one name in DNS, of as many networks


class NothingOfThatName(NotFound):
    message = "There is no port, floating IP, load balancer, address or name in DNS %(name)s"


class SeveralOfThatName(BadRequest):
    message = "Several are meant by %(name)s, give an id: %(ids)s"


class End(NamedTuple):
    """kind: PORTS, FLOATING, ADDRESS or OUTSIDE.  id: of the port or the floating IP.  address: what was requested.
    network: the port's.  called: the name in DNS that was requested."""

    kind: str
    id: str = ""
    address: str = ""
    name: str = ""
    network: str = ""
    called: str = ""

    def said(self) -> dict[str, str]:
        words = {PORTS: "port", FLOATING: "floatingip"}
        said = {"type": words.get(self.kind, self.kind), "id": self.id, "name": self.name, "address": self.address}
        return {name: value for name, value in said.items() if value}


class Ends:
    def __init__(self, services: Mapping[str, Service], balancers: Balancing) -> None:
        self._services, self._balancers = services, balancers

    def find(self, context: Context, text: str, near: str = "") -> End:
        """near: a network, whose names come first.  Raises NothingOfThatName, SeveralOfThatName."""
        if text == OUTSIDE:
            return End(OUTSIDE)
        address = address_of(text)
        if address is not None:
            return self._of_address(context, address)
        floating = self._all(context, FLOATING, "id", text)
        if floating:
            return _floating(floating[0])
        for by in ("id", "name", "device_id"):
            found = self._all(context, PORTS, by, text)
            if found:
                return _port(_only(text, found))
        for by in ("id", "name"):
            balancers = self._balancers.find(context, Listing(Query({by: [text]}), frozenset(), {}), dict)
            if balancers:
                return self._of_balancer(context, _only(text, balancers))
        called = self._called(context, text)
        if not called:
            raise NothingOfThatName(name=text)
        found = [one for one in called if one["network_id"] == near] or called
        return _port(_only(text, found))._replace(called=text)

    def _called(self, context: Context, text: str) -> list[Object]:
        """Ports of that name in DNS."""
        asked = [Listing(Query(by, limit=_MOST_NAMED), _FIELDS | {ASSIGNMENT}, {}) for by in named.filters(text)]
        found = {one["id"]: one for listing in asked for one in self._services[PORTS].find(context, listing, dict)}
        return [one for one in found.values() if named.is_called(one, text)]

    def _of_address(self, context: Context, address: str) -> End:
        floating = self._all(context, FLOATING, "floating_ip_address", address)
        if floating:
            return _floating(_only(address, floating))
        return End(ADDRESS, address=address)

    def _of_balancer(self, context: Context, balancer: Object) -> End:
        """The port of its VIP; its address, where the caller does not see that."""
        for port in self._all(context, PORTS, "id", balancer.get("vip_port_id") or ""):
            return _port(port | {"name": balancer["name"]})
        return End(ADDRESS, address=balancer["vip_address"])

    def ports_with(self, context: Context, address: str) -> list[Object]:
        return self._all(context, PORTS, "fixed_ips.ip_address", address)

    def _all(self, context: Context, kind: str, by: str, value: str) -> list[Object]:
        return self._services[kind].find(context, Listing(Query({by: [value]}, limit=10), _FIELDS, {}), dict)


def _only(name: str, found: Iterable[Object]) -> Object:
    first, *more = found
    if more:
        raise SeveralOfThatName(name=name, ids=", ".join(str(one["id"]) for one in (first, *more)))
    return first


def _port(port: Object) -> End:
    return End(PORTS, port["id"], "", port.get("name") or "", port["network_id"])


def _floating(one: Object) -> End:
    return End(FLOATING, one["id"], one["floating_ip_address"])
