"""The use cases over a real store, wired as the server does it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from netweft.control.ipam.subnets import Subnets
from netweft.control.l2.networks import Networks
from netweft.control.l2.ports import Ports
from netweft.control.l2.segment_ranges import SegmentRanges
from netweft.control.l2.segments import Segments
from netweft.control.l2.trunks import Trunks
from netweft.control.security.address_groups import AddressGroups
from netweft.control.security.default_rules import DefaultRules
from netweft.control.security.security_group_rules import SecurityGroupRules
from netweft.control.security.security_groups import SecurityGroups
from netweft.control.standard import UseCases
from netweft.plugins.segments import segment_types
from netweft.settings import ServerSettings
from netweft.store import Object, Store

NETWORK: Object = {"name": "n", "project_id": "p", "shared": False, "port_security_enabled": True}
SUBNET: Object = {"project_id": "p", "ip_version": 4, "enable_dhcp": True}
RANGE: Object = {"name": "", "project_id": "p", "shared": True}
PORT: Object = {"project_id": "p", "device_owner": "", "device_id": ""}
TRUNK: Object = {"project_id": "p", "admin_state_up": True, "sub_ports": []}


@dataclass
class Cloud:
    """Each call is one transaction."""

    store: Store
    networks: Networks
    subnets: Subnets
    ports: Ports
    groups: SecurityGroups
    rules: SecurityGroupRules
    ranges: SegmentRanges
    trunks: Trunks

    def network(self, **values: object) -> Object:
        return self._create(self.networks, NETWORK | values)

    def subnet(self, network: Object, prefix: str, **values: object) -> Object:
        wanted = {"network_id": network["id"], "cidr": prefix, "ip_version": 6 if ":" in prefix else 4}
        return self._create(self.subnets, SUBNET | wanted | values)

    def port(self, network: Object, **values: object) -> Object:
        return self._create(self.ports, PORT | {"network_id": network["id"]} | values)

    def trunk(self, port: Object, *sub_ports: Object) -> Object:
        return self._create(self.trunks, TRUNK | {"port_id": port["id"], "sub_ports": list(sub_ports)})

    def range(self, network_type: str, first: int, last: int, **values: object) -> Object:
        bounds = {"network_type": network_type, "minimum": first, "maximum": last}
        return self._create(self.ranges, RANGE | bounds | values)

    def create(self, kind: str, **values: object) -> Object:
        return self._create(self._of(kind), {"project_id": "p"} | values)

    def update(self, kind: str, current: Object, **changes: object) -> Object:
        with self.store.write() as tx:
            locked = tx.lock(kind, current["id"])
            assert locked is not None
            return self._of(kind).update(tx, locked, changes)

    def delete(self, kind: str, current: Object) -> None:
        with self.store.write() as tx:
            self._of(kind).delete(tx, current)

    def get(self, kind: str, object: Object) -> Object:
        with self.store.read() as tx:
            found = tx.get(kind, object["id"])
            assert found is not None
            return found

    def _create(self, use_cases: UseCases, wanted: Object) -> Object:
        with self.store.write() as tx:
            return use_cases.create(tx, [wanted])[0]

    def _of(self, kind: str) -> UseCases:
        found: dict[str, UseCases] = {
            "networks": self.networks,
            "subnets": self.subnets,
            "ports": self.ports,
            "security_groups": self.groups,
            "security_group_rules": self.rules,
            "default_security_group_rules": DefaultRules(),
            "address_groups": AddressGroups(),
            "network_segment_ranges": self.ranges,
            "trunks": self.trunks,
        }
        return found[kind]


MakeCloud = Callable[..., Cloud]


@pytest.fixture
def make_cloud(url: str) -> Iterator[MakeCloud]:
    stores: list[Store] = []

    def make(**settings: object) -> Cloud:
        store = Store.open(url)
        stores.append(store)
        values = ServerSettings(**settings)  # type: ignore[arg-type]
        subnets, groups = Subnets(), SecurityGroups()
        types = segment_types()
        ranges = SegmentRanges(values, types)
        with store.write() as tx:
            ranges.prepare(tx)
            DefaultRules().prepare(tx)
        networks = Networks(Segments(values, types, ranges), subnets)
        return Cloud(store, networks, subnets, Ports(values, groups), groups, SecurityGroupRules(), ranges, Trunks())

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud()
