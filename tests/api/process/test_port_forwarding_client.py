"""The stock client on port forwardings: `openstack floating ip port forwarding ...`."""

import pytest
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_port_forwardings(running: Server) -> None:
    admin = running.openrc()
    *_, port, floating_ip = stock_client(
        admin,
        "network create -f json --external pf-out",
        "subnet create -f json --network pf-out --subnet-range 198.51.100.0/24 pf-out4",
        "network create -f json pf-in",
        "subnet create -f json --network pf-in --subnet-range 10.77.0.0/24 pf-in4",
        "router create -f json --external-gateway pf-out pf-router",
        "router add subnet pf-router pf-in4",
        "port create -f json --network pf-in pf-port",
        "floating ip create -f json pf-out",
    )
    inside, address = port["fixed_ips"][0]["ip_address"], floating_ip["floating_ip_address"]
    create = f"floating ip port forwarding create -f json --port pf-port --internal-ip-address {inside}"
    one, whole, listed = stock_client(
        admin,
        f"{create} --internal-protocol-port 22 --external-protocol-port 2222 --protocol tcp --description d {address}",
        f"{create} --internal-protocol-port 80:90 --external-protocol-port 180:190 --protocol udp {address}",
        f"floating ip port forwarding list -f json {address}",
    )
    assert (one["internal_port"], one["external_port"], one["description"]) == (22, 2222, "d")
    assert (whole["internal_port_range"], whole["external_port_range"]) == ("80:90", "180:190")
    assert {each["ID"] for each in listed} == {one["id"], whole["id"]}
    set_ = f"floating ip port forwarding set --internal-protocol-port 23 --protocol udp {address} {one['id']}"
    shown, shown_ip = stock_client(
        admin,
        set_,
        f"floating ip port forwarding show -f json {address} {one['id']}",
        f"floating ip show -f json {address}",
    )
    assert (shown["internal_port"], shown["protocol"]) == (23, "udp")
    assert len(shown_ip["port_forwardings"]) == 2
    left = stock_client(
        admin,
        f"floating ip port forwarding delete {address} {one['id']}",
        f"floating ip port forwarding list -f json --protocol udp {address}",
    )[-1]
    assert [each["ID"] for each in left] == [whole["id"]]
