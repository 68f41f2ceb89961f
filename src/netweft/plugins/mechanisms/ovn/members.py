"""Members of a pool, as OVN's load balancer has them: where new connections go, and which are probed."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from math import gcd
from typing import Final

from msgspec import Struct

from netweft.model.health import MemberHealth
from netweft.model.load_balancer import HEALTHY, NETWORK, OFFLINE, ONLINE
from netweft.plugins.mechanisms import Row
from netweft.plugins.mechanisms.ovn import limits
from netweft.plugins.mechanisms.ovn.rows import HOST, Rows
from netweft.plugins.mechanisms.ovn.southbound import Asked, Chassis

MOST_PLACES: Final = 256  # in one list
STATUS: Final = "operating_status"


class Watch(Struct, frozen=True):
    """A pool's monitor, where OVN can do it.  mappings: member's address -> the probes' source there, as
    `ip_port_mappings`."""

    options: Mapping[str, str]
    mappings: Mapping[str, str]


class Members:
    """asked: -> the members, and what is known of each."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._by_place: dict[tuple[str, str], Row] = {}
        if rows.monitors_of:
            for port in rows.ports.values():
                for fixed in port.get("fixed_ips") or ():
                    self._by_place[fixed["subnet_id"], fixed["ip_address"]] = port
        self.asked: dict[Asked, dict[str, str]] = {}
        self.sources: set[str] = set()  # subnets in which the probes need a source address

    def asks_in(self) -> frozenset[str] | None:
        return None if self.sources == self._rows.sources.keys() else frozenset(self.sources)

    def watch(self, balancer: Row, pool: Row) -> Watch | None:
        monitor = self._rows.monitors_of.get(pool["id"])
        members = self._rows.members_of[pool["id"]]
        if monitor is None or not monitor["admin_state_up"] or limits.of_monitor(monitor, members):
            return None
        mappings: dict[str, str] = {}
        for one in members:
            if (found := self._port_of(balancer, one)) is None:
                continue
            subnet, port = found
            self.sources.add(subnet)
            if one["admin_state_up"] and (source := self._rows.sources.get(subnet)):
                mappings[bracketed(one["address"])] = f"{port['id']}:{bracketed(source)}"
                what = Asked(port["id"], one["address"], one["protocol_port"], limits.ASKS[monitor["type"]])
                self.asked.setdefault(what, {})[one["id"]] = one[STATUS]
        options = {
            "interval": str(monitor["delay"]),
            "timeout": str(monitor["timeout"]),
            "success_count": str(monitor["max_retries"]),
            "failure_count": str(monitor["max_retries_down"]),
        }
        return Watch(options, mappings)

    def _port_of(self, balancer: Row, member: Row) -> tuple[str, Row] | None:
        """On a host of OVN's: its subnet, and it."""
        of_vip = [subnet["id"] for subnet in self._rows.subnets_of[balancer[NETWORK]]]
        for subnet in [member["subnet_id"]] if member.get("subnet_id") else of_vip:
            port = self._by_place.get((subnet, member["address"]))
            if port is not None and port.get(HOST):
                return subnet, port
        return None

    def places(self, balancer: Row, pool: Row | None) -> list[tuple[str, int]]:
        """Each as often as its weight says, in turns.  Backups only where nobody else is well."""
        if pool is None or not pool["admin_state_up"]:
            return []
        watch = self.watch(balancer, pool)
        able = [
            one
            for one in self._rows.members_of[pool["id"]]
            if one["admin_state_up"] and one["weight"] > 0 and self._gets_traffic(one, watch)
        ]
        first = [one for one in able if not one["backup"]]
        is_one_well = any(one[STATUS] in HEALTHY or watch is None for one in first)
        return in_turns(first if is_one_well else able)

    def _gets_traffic(self, member: Row, watch: Watch | None) -> bool:
        """Who is asked by OVN is left out by OVN; who is asked by nobody there is taken for well."""
        if watch is not None and bracketed(member["address"]) in watch.mappings:
            return True
        return member[STATUS] in HEALTHY or (watch is None and member[STATUS] == OFFLINE)


def news(chassis: Chassis, asked: Mapping[Asked, Mapping[str, str]]) -> tuple[MemberHealth, ...]:
    """What a chassis has found out of members and is not known yet."""
    return tuple(
        MemberHealth(member_id=id, status=status, why="" if status == ONLINE else "it does not answer OVN")
        for what, status in chassis.asked.items()
        for id, known in sorted(asked.get(what, {}).items())
        if known != status
    )


def in_turns(members: Iterable[Row]) -> list[tuple[str, int]]:
    members = sorted(members, key=lambda one: str(one["id"]))
    if not members:
        return []
    common = gcd(*(one["weight"] for one in members))
    counts = [one["weight"] // common for one in members]
    if sum(counts) > MOST_PLACES:
        counts = [max(1, count * MOST_PLACES // sum(counts)) for count in counts]
    ends = [(str(one["address"]), int(one["protocol_port"])) for one in members]
    return [at for turn in range(max(counts)) for at, count in zip(ends, counts, strict=True) if count > turn]


def version(address: str) -> int:
    return ip_address(address).version


def bracketed(address: str) -> str:
    return f"[{address}]" if version(address) == 6 else address


def end(address: str, port: int) -> str:
    return f"{bracketed(address)}:{port}"
