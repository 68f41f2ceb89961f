"""The stock client on metering: `openstack network meter ...`; and on the zones of agents."""

import pytest
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_meters(running: Server) -> None:
    admin = running.openrc()
    rule = "network meter rule create -f json"
    meter, one, two = stock_client(
        admin,
        "network meter create -f json --description d --share m",
        f"{rule} --remote-ip-prefix 10.0.0.0/24 --ingress --exclude m",
        f"{rule} --source-ip-prefix 10.0.0.0/24 --destination-ip-prefix 0.0.0.0/0 --egress m",
    )
    assert (meter["name"], meter["description"], meter["shared"]) == ("m", "d", True)
    assert (one["direction"], one["remote_ip_prefix"]) == ("ingress", "10.0.0.0/24")
    assert (two["source_ip_prefix"], two["destination_ip_prefix"]) == ("10.0.0.0/24", "0.0.0.0/0")
    shown, meters, shown_rule, rules = stock_client(
        admin,
        "network meter show -f json m",
        "network meter list -f json",
        f"network meter rule show -f json {one['id']}",
        "network meter rule list -f json",
    )
    assert shown["id"] == meter["id"]
    assert [each["ID"] for each in meters] == [meter["id"]]
    assert shown_rule["metering_label_id"] == meter["id"]
    assert {each["ID"] for each in rules} == {one["id"], two["id"]}
    left = stock_client(
        admin,
        f"network meter rule delete {one['id']}",
        "network meter delete m",
        "network meter rule list -f json",
        "availability zone list --network -f json",
    )
    assert left[-2] == []
