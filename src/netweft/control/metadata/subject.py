"""Whom a request for metadata is about: the instance behind a port, as far as this server knows it.

Only the node that runs the port hears of it, and of nothing but the instance's own: ports with the same device in the
same project.  A trunk's sub-port asks as its trunk's instance.
"""

import re
from typing import Final

from msgspec import Struct

from netweft.control.l2.hosts import HOST
from netweft.control.l2.trunks import PART_OF
from netweft.control.metadata import given
from netweft.store import Object, Query, ReadTransaction

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9-]+")


class Requester(Struct, frozen=True):
    """port: the one that the request came by.  instance: the one that the instance is plugged in with."""

    port: Object
    instance: Object

    @property
    def instance_id(self) -> str:
        return str(self.instance["device_id"])

    @property
    def project_id(self) -> str:
        return str(self.instance["project_id"])


class Subject(Struct, frozen=True):
    """ports: all of the instance's, the one that it is plugged in with first.  given: see `given`."""

    requester: Requester
    given: Object
    ports: tuple[Object, ...]
    networks: dict[str, Object]
    subnets: dict[str, Object]

    @property
    def hostname(self) -> str:
        instance = self.requester.instance
        return self.given.get("hostname") or host_name(instance["name"]) or _by_address(instance)

    @property
    def addresses(self) -> list[str]:
        return [str(fixed["ip_address"]) for port in self.ports for fixed in port["fixed_ips"]]

    @property
    def keys(self) -> dict[str, str]:
        return dict(self.given.get("public_keys") or {})


def requester(tx: ReadTransaction, node: str, port_id: str) -> Requester | None:
    """None: there is no such port on this node."""
    port = tx.get("ports", port_id)
    if port is None or port[HOST] != node:
        return None
    trunk = tx.get("trunks", port[PART_OF]) if port.get(PART_OF) else None
    instance = tx.get("ports", trunk["port_id"]) if trunk else port
    return Requester(port, instance or port)


def subject(tx: ReadTransaction, who: Requester) -> Subject:
    ports = [who.instance]
    if who.instance_id:
        same = {"device_id": [who.instance_id], "project_id": [who.project_id]}
        ports += [port for port in tx.query("ports", Query(same)) if port["id"] != who.instance["id"]]
    networks = tx.get_many("networks", {port["network_id"] for port in ports})
    subnets = tx.get_many("subnets", {fixed["subnet_id"] for port in ports for fixed in port["fixed_ips"]})
    return Subject(who, given.of(tx, who.instance), tuple(ports), networks, subnets)


def host_name(name: str) -> str:
    """What of a port's name can be a host's; empty where nothing can."""
    return _NOT_IN_NAMES.sub("-", name).strip("-")[:63].strip("-")


def _by_address(port: Object) -> str:
    first = next((fixed["ip_address"] for fixed in port["fixed_ips"]), port["id"])
    return f"host-{host_name(first.replace('.', '-').replace(':', '-'))}"
