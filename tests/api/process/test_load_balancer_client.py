"""The stock client and openstacksdk on load balancers."""

from typing import Any

import pytest
from tests.api.process.client import stock_client, stock_client_tried
from tests.api.process.conftest import Server, connection

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]
LB = "loadbalancer"


def test_the_openstack_command(running: Server) -> None:
    admin = running.openrc()
    *_, made, listener, pool, member, monitor, policy, rule = stock_client(
        admin,
        "network create -f json lbnet",
        "subnet create -f json --network lbnet --subnet-range 10.31.0.0/24 lbsub",
        f"{LB} create -f json --name web --vip-subnet-id lbsub --tag t --wait",
        f"{LB} listener create -f json --name l --protocol HTTP --protocol-port 80 --wait web",
        f"{LB} pool create -f json --name p --listener l --protocol HTTP --lb-algorithm ROUND_ROBIN --wait",
        f"{LB} member create -f json --name m --address 10.31.0.9 --protocol-port 8080 --weight 3 --wait p",
        f"{LB} healthmonitor create -f json --name h --delay 5 --timeout 2 --max-retries 2 --type HTTP --wait p",
        f"{LB} l7policy create -f json --name y --action REJECT --wait l",
        f"{LB} l7rule create -f json --type PATH --compare-type STARTS_WITH --value /x --wait y",
    )
    assert (made["name"], made["provisioning_status"], made["provider"]) == ("web", "ACTIVE", "netweft")
    assert (listener["protocol_port"], pool["lb_algorithm"]) == (80, "ROUND_ROBIN")
    assert (member["address"], member["weight"]) == ("10.31.0.9", 3)
    assert (monitor["type"], policy["action"], rule["value"]) == ("HTTP", "REJECT", "/x")
    balancers, listeners, members, status, stats, providers, quota = stock_client(
        admin,
        f"{LB} list -f json --tags t",
        f"{LB} listener list -f json --loadbalancer web",
        f"{LB} member list -f json p",
        f"{LB} status show web",
        f"{LB} stats show -f json web",
        f"{LB} provider list -f json",
        f"{LB} quota defaults show -f json",
    )
    assert [one["name"] for one in balancers] == ["web"]
    assert [one["id"] for one in listeners] == [listener["id"]]
    assert [one["id"] for one in members] == [member["id"]]
    (told,) = status["loadbalancer"]["listeners"][0]["pools"]
    assert told["health_monitor"]["name"] == "h"
    assert stats["total_connections"] == 0
    assert [one["name"] for one in providers] == ["netweft", "amphora", "octavia"]
    assert quota["member"] == 10_000
    after = stock_client(
        admin,
        f"{LB} member set --weight 0 --wait p m",
        f"{LB} set --description d --wait web",
        f"{LB} failover --wait web",
        f"{LB} member show -f json p m",
    )
    assert after[-1]["weight"] == 0
    _, problems = stock_client_tried(admin, f"{LB} delete web")
    assert "it has children" in problems
    *_, left = stock_client(admin, f"{LB} delete --cascade --wait web", f"{LB} list -f json", "port list -f json")
    assert left == []


def test_the_sdk(running: Server) -> None:
    cloud: Any = connection(running)
    network = cloud.network.create_network(name="sdk")
    subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.32.0.0/24")
    lb = cloud.load_balancer
    pool = {
        "name": "p",
        "protocol": "TCP",
        "lb_algorithm": "SOURCE_IP",
        "members": [{"address": "10.32.0.9", "protocol_port": 80}],
    }
    made = lb.create_load_balancer(
        name="b",
        vip_subnet_id=subnet.id,
        listeners=[{"name": "l", "protocol": "TCP", "protocol_port": 80, "default_pool": pool}],
    )
    active = lb.wait_for_load_balancer(made.id, interval=0.05, wait=20)
    assert (active.vip_network_id, active.provider) == (network.id, "netweft")
    assert [one.name for one in lb.pools(loadbalancer_id=made.id)] == ["p"]
    (found,) = lb.pools()
    assert [one.address for one in lb.members(found.id)] == ["10.32.0.9"]
    assert lb.find_load_balancer("b").id == made.id
    profile = lb.create_flavor_profile(
        name="f", provider_name="netweft", flavor_data='{"loadbalancer_topology":"SINGLE"}'
    )
    flavor = lb.create_flavor(name="f", flavor_profile_id=profile.id)
    assert [one.id for one in lb.flavors()] == [flavor.id]
    lb.delete_flavor(flavor)
    lb.delete_flavor_profile(profile)
    lb.delete_load_balancer(made.id, cascade=True)
    lb.wait_for_delete(made, interval=0.05, wait=30)
    assert list(lb.load_balancers()) == []
