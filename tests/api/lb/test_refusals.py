"""What cannot be had, with Octavia's status codes and words; and that nothing is left of it."""

# ruff: noqa: E501 - a case is a line

from typing import Any

import pytest
from tests.api.lb.conftest import Lb, refused

from netweft.control.lb import vocabulary

P: dict[str, Any] = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
NOBODY = "12345678-0000-4000-8000-000000000000"
H: dict[str, Any] = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}
MEMBER: dict[str, Any] = {"address": "10.0.0.9", "protocol_port": 80}


@pytest.mark.parametrize("listener", vocabulary.LISTENER_PROTOCOLS)
def test_which_pools_a_listener_may_lead_to(lb: Lb, listener: str) -> None:
    balancer = lb.balancer()["id"]
    certificate = {"default_tls_container_ref": "x"} if listener == "TERMINATED_HTTPS" else {}
    body = {"loadbalancer_id": balancer, "protocol": listener, "protocol_port": 1} | certificate
    made = lb("alice", "POST", "/listeners", {"listener": body})
    if certificate:  # there is no key manager
        assert refused(made) == (400, "Could not retrieve certificate: ['x']")
        return
    for protocol in vocabulary.POOL_PROTOCOLS:
        pool = P | {"protocol": protocol, "loadbalancer_id": balancer}
        id = lb.make("/pools", **pool)["id"]
        answer = lb(
            "alice", "PUT", f"/listeners/{made.json()['listener']['id']}", {"listener": {"default_pool_id": id}}
        )
        allowed = protocol in vocabulary.LEADS_TO[listener]
        assert (answer.status_code == 200) == allowed, answer.text
        if not allowed:
            assert refused(answer)[0] == 400


@pytest.mark.parametrize("protocol", vocabulary.POOL_PROTOCOLS)
def test_which_monitors_a_pool_may_have(lb: Lb, protocol: str) -> None:
    balancer = lb.balancer()["id"]
    allowed = set()
    for kind in vocabulary.MONITOR_TYPES:
        pool = lb.make("/pools", loadbalancer_id=balancer, **(P | {"protocol": protocol}))["id"]
        monitor = H | {"type": kind, "pool_id": pool, "delay": 5}
        answer = lb("alice", "POST", "/healthmonitors", {"healthmonitor": monitor})
        allowed |= {kind} if answer.status_code == 201 else set()
        assert answer.status_code in (201, 400), answer.text
    datagrams = protocol in ("UDP", "SCTP")
    assert allowed == (
        {"UDP-CONNECT", "SCTP", "TCP", "HTTP"} if datagrams else {*vocabulary.MONITOR_TYPES} - {"UDP-CONNECT", "SCTP"}
    )


BALANCERS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."),
    ({"vip_subnet_id": NOBODY}, 400, f"Subnet {NOBODY} not found."),
    ({"vip_network_id": NOBODY}, 400, f"Network {NOBODY} not found."),
    ({"vip_port_id": NOBODY}, 400, f"Port {NOBODY} not found."),
    (
        {"vip_subnet_id": "x"},
        400,
        "Invalid input for field/attribute vip_subnet_id. Value: 'x'. 'x' is not a valid UUID",
    ),
    ({"vip_subnet_id": None, "provider": "ovn"}, 400, "Provider 'ovn' is not enabled."),
    ({"flavor_id": NOBODY}, 400, "Validation failure: Invalid flavor_id."),
    ({"availability_zone": "nowhere"}, 400, "Validation failure: Invalid availability zone."),
    ({"color": 1}, 400, "Unknown attribute for argument loadbalancer: color"),
    ({"provisioning_status": "ACTIVE"}, 400, "Unknown attribute for argument loadbalancer: provisioning_status"),
    ({"name": "x" * 256}, 400, ""),
    ({"vip_address": "10.9.9.9"}, 400, ""),
    ({"additional_vips": [{"subnet_id": NOBODY}]}, 400, f"Subnet {NOBODY} not found."),
]


@pytest.mark.parametrize(("values", "code", "said"), BALANCERS)
def test_balancers(lb: Lb, values: dict[str, Any], code: int, said: str) -> None:
    if values and not any(name.startswith("vip_") and value for name, value in values.items() if name != "vip_address"):
        values = values | {"vip_subnet_id": lb.network()["id"]}
    answer = lb("alice", "POST", "/loadbalancers", {"loadbalancer": values})
    assert refused(answer)[0] == code
    assert not said or refused(answer)[1] == said
    assert lb.net.get("alice", "/ports")["ports"] == []
    assert lb.get("/loadbalancers") == []


def test_what_is_below(lb: Lb) -> None:
    balancer, other = lb.balancer()["id"], lb.balancer()["id"]
    web = {"loadbalancer_id": balancer, "protocol": "HTTP", "protocol_port": 80}
    listener = lb.make("/listeners", **web)["id"]
    pool = lb.make("/pools", listener_id=listener, **P)["id"]
    elsewhere = lb.make("/pools", loadbalancer_id=other, **P)["id"]
    members = f"/pools/{pool}/members"
    member = lb.make(members, **MEMBER)["id"]
    lb.make("/healthmonitors", pool_id=pool, **H)
    policy = lb.make("/l7policies", listener_id=listener, action="REDIRECT_TO_POOL", redirect_pool_id=pool)["id"]
    rule = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}
    cases: list[tuple[str, str, str, dict[str, Any], int, str]] = [
        ("POST", "/listeners", "listener", web | {"protocol": "HTTPS"}, 409, "already using protocol HTTP and protocol_port 80"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 0}, 400, "protocol_port"),
        ("POST", "/listeners", "listener", web | {"protocol": "ICMP"}, 400, "Value should be one of"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "default_pool_id": elsewhere}, 404, "Pool"),
        ("POST", "/listeners", "listener", web | {"loadbalancer_id": NOBODY}, 404, f"LoadBalancer {NOBODY} not found."),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "allowed_cidrs": ["fd00::/8"]}, 400, "IP version"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "insert_headers": {"X-Evil": "1"}}, 400, "insert_headers"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "hsts_max_age": 1}, 400, "HSTS"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "client_authentication": "OPTIONAL"}, 400, "client CA"),
        ("POST", "/listeners", "listener", web | {"protocol_port": 81, "tls_ciphers": "a b"}, 400, "cipher string"),
        ("PUT", f"/listeners/{listener}", "listener", {"protocol_port": 81}, 400, "Unknown attribute"),
        ("POST", "/pools", "pool", P | {"listener_id": listener}, 409, "This listener already has a default pool"),
        ("POST", "/pools", "pool", P, 400, "at least one of: loadbalancer_id, listener_id"),
        ("POST", "/pools", "pool", P | {"loadbalancer_id": balancer, "session_persistence": {"type": "APP_COOKIE"}}, 400, "cookie_name"),
        ("POST", "/pools", "pool", P | {"loadbalancer_id": balancer, "lb_algorithm": "RANDOM"}, 400, "lb_algorithm"),
        ("POST", members, "member", MEMBER, 409, "already using ip 10.0.0.9 on protocol_port 80"),
        ("POST", members, "member", MEMBER | {"protocol_port": 1, "weight": 257}, 400, "weight"),
        ("POST", members, "member", MEMBER | {"address": "169.254.169.254"}, 400, "member address"),
        ("POST", members, "member", MEMBER | {"protocol_port": 1, "subnet_id": NOBODY}, 400, f"Subnet {NOBODY} not found."),
        ("POST", members, "member", MEMBER | {"protocol_port": 1, "request_sriov": True}, 400, "SR-IOV"),
        ("PUT", f"/pools/{elsewhere}/members/{member}", "member", {"weight": 2}, 404, "Member"),
        ("POST", "/healthmonitors", "healthmonitor", H | {"pool_id": pool}, 409, "This pool already has a health monitor"),
        ("POST", "/healthmonitors", "healthmonitor", H | {"pool_id": elsewhere, "url_path": "x y"}, 400, "URL Path"),
        ("POST", "/healthmonitors", "healthmonitor", H | {"pool_id": elsewhere, "type": "TCP", "url_path": "/"}, 400, "url_path"),
        ("POST", "/healthmonitors", "healthmonitor", H | {"pool_id": elsewhere, "domain_name": "a.b"}, 400, "http_version"),
        ("POST", "/l7policies", "l7policy", {"listener_id": listener, "action": "REDIRECT_TO_URL"}, 400, "redirect_url must not be None"),
        ("POST", "/l7policies", "l7policy", {"listener_id": listener, "action": "REDIRECT_TO_URL", "redirect_url": "http://a\nb"}, 400, "valid URL"),
        ("POST", "/l7policies", "l7policy", {"listener_id": listener, "action": "REDIRECT_TO_POOL", "redirect_pool_id": elsewhere}, 404, "Pool"),
        ("POST", f"/l7policies/{policy}/rules", "rule", rule | {"value": "a\nb"}, 400, "one line"),
        ("POST", f"/l7policies/{policy}/rules", "rule", rule | {"value": "a b"}, 400, "Invalid characters"),
        ("POST", f"/l7policies/{policy}/rules", "rule", rule | {"compare_type": "REGEX", "value": "("}, 400, "regular expression"),
        ("POST", f"/l7policies/{policy}/rules", "rule", rule | {"type": "HEADER"}, 400, "requires a key"),
    ]  # fmt: skip
    before = [lb.get(path) for path in ("/listeners", "/pools", members, "/healthmonitors", "/l7policies")]
    for method, path, name, values, code, said in cases:
        answer = lb("alice", method, path, {name: values})
        assert refused(answer)[0] == code, (values, answer.text)
        assert said in refused(answer)[1], (values, answer.text)
    assert refused(lb("alice", "DELETE", f"/pools/{pool}")) == (409, f"Pool {pool} is in use by L7 policy {policy}")
    assert [lb.get(path) for path in ("/listeners", "/pools", members, "/healthmonitors", "/l7policies")] == before


def test_fifty_rules_are_enough(lb: Lb) -> None:
    listener = {"protocol": "HTTP", "protocol_port": 80, "name": "l"}
    rules = [{"type": "PATH", "compare_type": "EQUAL_TO", "value": f"/{n}"} for n in range(51)]
    subnet = lb.network()["id"]

    def single(count: int) -> Any:
        policies = [{"action": "REJECT", "rules": rules[:count]}]
        wanted = {"vip_subnet_id": subnet, "listeners": [listener | {"l7policies": policies}]}
        return lb("alice", "POST", "/loadbalancers", {"loadbalancer": wanted})

    assert refused(single(51))[0] == 409
    made = single(50)
    assert made.status_code == 201
    policy = made.json()["loadbalancer"]["listeners"][0]["l7policies"][0]["id"]
    answer = lb("alice", "POST", f"/l7policies/{policy}/rules", {"rule": rules[50]})
    assert refused(answer) == (409, f"Too many rules on L7 policy {policy}")


def test_the_vips_port_is_the_balancers(lb: Lb) -> None:
    subnet = lb.network()
    balancer = lb.balancer(vip_subnet_id=subnet["id"])
    port = balancer["vip_port_id"]
    for changes in (
        {"fixed_ips": [{"subnet_id": subnet["id"]}]},
        {"device_id": ""},
        {"admin_state_up": False},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.77"}]},
    ):
        assert lb.net("alice", "PUT", f"/ports/{port}", {"port": changes}).status_code == 409, changes
    assert lb.net("alice", "PUT", f"/ports/{port}", {"port": {"name": "mine"}}).status_code == 200
    assert lb.net("alice", "DELETE", f"/ports/{port}").status_code == 409
    # who only says so of a port is not believed
    stranger = lb.net.make(
        "alice", "port", network_id=subnet["network_id"], device_owner="Octavia", device_id=f"lb-{balancer['id']}"
    )
    assert lb.net("alice", "DELETE", f"/ports/{stranger['id']}").status_code == 204


def test_a_port_is_a_vip_or_a_trunks(lb: Lb) -> None:
    """A balancer whose VIP was a trunk's could not go: its port did not."""
    subnet = lb.network()
    parent, sub = (lb.net.make("alice", "port", network_id=subnet["network_id"])["id"] for _ in range(2))
    behind = {"port_id": sub, "segmentation_type": "vlan", "segmentation_id": 5}
    lb.net.make("alice", "trunk", port_id=parent, sub_ports=[behind])
    for port in (parent, sub):
        code, said = refused(lb("alice", "POST", "/loadbalancers", {"loadbalancer": {"vip_port_id": port}}))
        assert (code, "already used" in said) == (400, True)
    vip = lb.balancer(vip_subnet_id=subnet["id"])["vip_port_id"]
    router = lb.net.make("alice", "router")["id"]
    path = f"/routers/{router}/add_router_interface"
    interface = lb.net("alice", "PUT", path, {"subnet_id": subnet["id"]}).json()["port_id"]
    for port in (vip, interface):
        assert lb.net("alice", "POST", "/trunks", {"trunk": {"port_id": port}}).status_code == 409


def test_a_port_that_was_there_stays(lb: Lb) -> None:
    subnet = lb.network()
    port = lb.net.make("alice", "port", network_id=subnet["network_id"])
    balancer = lb.balancer(vip_port_id=port["id"])
    assert balancer["vip_address"] == port["fixed_ips"][0]["ip_address"]
    again = lb("alice", "POST", "/loadbalancers", {"loadbalancer": {"vip_port_id": port["id"]}})
    assert refused(again)[0] == 400
    lb.delete(f"/loadbalancers/{balancer['id']}")
    left = lb.net.get("alice", f"/ports/{port['id']}")["port"]
    assert (left["device_id"], left["device_owner"]) == ("", "")


def test_more_vips(lb: Lb) -> None:
    first = lb.network()
    network = first["network_id"]
    second = lb.net.make("alice", "subnet", network_id=network, ip_version=6, cidr="fd00::/64")
    more = [{"subnet_id": second["id"], "ip_address": "fd00::7"}]
    made = lb.balancer(vip_subnet_id=first["id"], vip_address="10.0.0.7", additional_vips=more)
    assert made["vip_address"] == "10.0.0.7"
    assert [(one["ip_address"], one["subnet_id"]) for one in made["additional_vips"]] == [("fd00::7", second["id"])]
    twice = {"vip_subnet_id": first["id"], "additional_vips": [{"subnet_id": first["id"]}]}
    assert refused(lb("alice", "POST", "/loadbalancers", {"loadbalancer": twice}))[0] == 400
    taken = {"vip_subnet_id": first["id"], "vip_address": "10.0.0.7"}
    assert refused(lb("alice", "POST", "/loadbalancers", {"loadbalancer": taken}))[0] == 409


def test_quotas(lb: Lb) -> None:
    subnet = lb.network()["id"]
    limits = {"loadbalancer": 1, "member": 2}
    assert lb("alice", "PUT", "/quotas/red", {"quota": limits}).status_code == 403
    changed = lb("admin", "PUT", "/quotas/red", {"quota": limits})
    assert (changed.status_code, changed.json()["quota"]["load_balancer"]) == (202, 1)
    balancer = lb.balancer(vip_subnet_id=subnet)
    over = lb("alice", "POST", "/loadbalancers", {"loadbalancer": {"vip_subnet_id": subnet}})
    assert refused(over) == (403, "Quota has been met for resources: LoadBalancer")
    pool = lb.make("/pools", loadbalancer_id=balancer["id"], **P)["id"]
    three = [MEMBER | {"protocol_port": n} for n in (1, 2, 3)]
    over = lb("alice", "PUT", f"/pools/{pool}/members", {"members": three})
    assert refused(over) == (403, "Quota has been met for resources: Member")
    assert lb.get(f"/pools/{pool}/members") == []
    assert lb("admin", "DELETE", "/quotas/red").status_code == 202
    assert lb.get("/quotas/red")["loadbalancer"] == 100
    assert "loadbalancer" not in lb.net.get("admin", "/quotas/red")["quota"]


def test_offers(lb: Lb) -> None:
    profile = lb.make(
        "/flavorprofiles", "admin", name="f", provider_name="netweft", flavor_data='{"loadbalancer_topology": "SINGLE"}'
    )
    bad = {"name": "g", "provider_name": "netweft", "flavor_data": '{"cpu": 1}'}
    assert refused(lb("admin", "POST", "/flavorprofiles", {"flavorprofile": bad}))[0] == 501
    bad["flavor_data"] = "{"
    assert refused(lb("admin", "POST", "/flavorprofiles", {"flavorprofile": bad}))[0] == 400
    flavor = lb.make("/flavors", "admin", name="f", flavor_profile_id=profile["id"])
    again = {"name": "f", "flavor_profile_id": profile["id"]}
    assert refused(lb("admin", "POST", "/flavors", {"flavor": again})) == (409, "A flavor of f already exists.")
    balancer = lb.balancer(flavor_id=flavor["id"])
    assert refused(lb("admin", "DELETE", f"/flavors/{flavor['id']}"))[0] == 409
    assert refused(lb("admin", "DELETE", f"/flavorprofiles/{profile['id']}"))[0] == 409
    lb.put(f"/flavors/{flavor['id']}", "admin", enabled=False)
    disabled = {"flavor_id": flavor["id"], "vip_subnet_id": lb.network()["id"]}
    assert refused(lb("alice", "POST", "/loadbalancers", {"loadbalancer": disabled}))[0] == 400
    lb.delete(f"/loadbalancers/{balancer['id']}")
    assert lb("admin", "DELETE", f"/flavors/{flavor['id']}").status_code == 204
    assert lb("admin", "DELETE", f"/flavorprofiles/{profile['id']}").status_code == 204
    data = {"name": "z", "provider_name": "netweft", "availability_zone_data": '{"valid_vip_networks": ["other"]}'}
    made = lb("admin", "POST", "/availabilityzoneprofiles", {"availability_zone_profile": data})
    zone = {"name": "az", "availability_zone_profile_id": made.json()["availability_zone_profile"]["id"]}
    assert lb("admin", "POST", "/availabilityzones", {"availability_zone": zone}).status_code == 201
    barred = {"availability_zone": "az", "vip_subnet_id": lb.network()["id"]}
    assert "not allowed" in refused(lb("alice", "POST", "/loadbalancers", {"loadbalancer": barred}))[1]
    assert lb("alice", "GET", "/availabilityzoneprofiles").status_code == 403
