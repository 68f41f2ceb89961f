"""A northbound with thousands of ports is read in one pass: each port costs the same however many there are."""

import time
from typing import Any

import pytest

from netweft.importing import ovn_nb
from netweft.importing.ovn_rows import TABLES, Row, row_id
from netweft.plugins.mechanisms.database import from_map

NET, SUBNET = "net-1", "subnet-1"


def row(kind: str, number: int | str, **columns: Any) -> dict[str, Any]:
    return {"_uuid": ["uuid", f"{kind}-{number}"], "external_ids": ["map", []], **columns}


def mapped(**values: str) -> list[Any]:
    return ["map", [[name.replace("__", ":"), value] for name, value in values.items()]]


def northbound(count: int) -> dict[str, list[dict[str, Any]]]:
    """Each port has DHCP options and a name of its own, and is inside by a rule."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    nothing = {"type": "", "options": ["map", []], "tag": ["set", []], "tag_request": ["set", []]}
    nothing |= {"parent_name": ["set", []], "enabled": ["set", []], "dhcpv6_options": ["set", []]}
    names, of = [], mapped(subnet_id=SUBNET)
    general = mapped(mtu="1442")
    rows["DHCP_Options"].append(row("dhcp", "all", cidr="10.0.0.0/8", options=general, external_ids=of))
    for number in range(count):
        address, id = f"10.1.{number // 250}.{number % 250 + 1}", f"port-{number}"
        own = mapped(subnet_id=SUBNET, port_id=id)
        options = mapped(mtu="1442", tftp_server="9.9.9.9")
        rows["DHCP_Options"].append(row("dhcp", number, cidr="10.0.0.0/8", options=options, external_ids=own))
        ids = mapped(neutron__cidrs=f"{address}/8", neutron__project_id="red", neutron__device_owner="compute:nova")
        more = {"name": id, "addresses": f"fa:16:3e:00:00:01 {address}", "port_security": ["set", []]}
        port = row("port", number, **more, dhcpv4_options=["uuid", f"dhcp-{number}"], **nothing)
        rows["Logical_Switch_Port"].append(port | {"external_ids": ids})
        names.append([f"vm{number}", address])
    rows["DNS"].append(row("dns", 1, records=["map", names]))
    ports = ["set", [one["_uuid"] for one in rows["Logical_Switch_Port"]]]
    switch = {"ports": ports, "dns_records": ["uuid", "dns-1"], "other_config": ["map", []]}
    rows["Logical_Switch"].append(row("switch", 1, name=f"neutron-{NET}", **switch))
    return rows


def test_five_thousand_ports_are_read_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    class Counted(dict[str, Any]):
        def items(self) -> Any:
            nonlocal looked
            looked += len(self)
            return super().items()

    def counted(row: Row) -> str:
        nonlocal looked
        looked += 1
        return row_id(row)

    monkeypatch.setattr(ovn_nb, "from_map", lambda value: Counted(from_map(value)))
    monkeypatch.setattr(ovn_nb, "row_id", counted)
    monkeypatch.setattr(ovn_nb, "rows_of", lambda _: northbound(5000))
    begun = time.monotonic()
    ports = ovn_nb.read("unix:/none").objects["ports"]
    print(f"5,000 ports: {time.monotonic() - begun:.1f} s")
    assert len(ports) == 5000
    assert ports[4321]["dns_name"] == "vm4321"
    assert [one["opt_name"] for one in ports[4321]["extra_dhcp_opts"]] == ["tftp-server"]
    assert looked < 20 * 5000
