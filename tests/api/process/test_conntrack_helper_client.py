"""The stock client on conntrack helpers: `openstack network l3 conntrack helper ...`."""

import pytest
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_conntrack_helpers(running: Server) -> None:
    admin = running.openrc()
    create = "network l3 conntrack helper create -f json"
    _, one, two = stock_client(
        admin,
        "router create -f json helped",
        f"{create} --helper ftp --protocol tcp --port 21 helped",
        f"{create} --helper tftp --protocol udp --port 69 helped",
    )
    assert (one["helper"], one["protocol"], one["port"]) == ("ftp", "tcp", 21)
    shown, listed, router = stock_client(
        admin,
        f"network l3 conntrack helper set --port 2121 helped {one['id']}",
        f"network l3 conntrack helper show -f json helped {one['id']}",
        "network l3 conntrack helper list -f json --helper ftp helped",
        "router show -f json helped",
    )
    assert shown["port"] == 2121
    assert [each["ID"] for each in listed] == [one["id"]]
    exposed = [{"helper": "ftp", "protocol": "tcp", "port": 2121}, {"helper": "tftp", "protocol": "udp", "port": 69}]
    assert router.get("conntrack_helpers", exposed) == exposed
    left = stock_client(
        admin,
        f"network l3 conntrack helper delete helped {one['id']}",
        "network l3 conntrack helper list -f json helped",
    )[-1]
    assert [each["ID"] for each in left] == [two["id"]]
