"""What tempest finds: a server, an external network, and a tempest.conf that says what is there and what is not."""

from pathlib import Path
from typing import Any

import httpx
from tests.api.process.conftest import Server

from netweft.control.lb import offers

CONFIG = """
[DEFAULT]
log_file = {folder}/tempest.log
[oslo_concurrency]
lock_path = {folder}
[auth]
admin_username = admin
admin_password = {password}
admin_project_name = admin
admin_domain_name = Default
use_dynamic_credentials = true
default_credentials_domain_name = Default
create_isolated_networks = false
tempest_roles = member
[identity]
uri_v3 = {url}/identity/v3
auth_version = v3
region = RegionOne
[identity-feature-enabled]
api_v2 = false
[network]
public_network_id = {external}
floating_network_name = public
region = RegionOne
project_network_cidr = 10.100.0.0/16
[network-feature-enabled]
ipv6 = true
ipv6_subnet_attributes = true
floating_ips = true
api_extensions = {extensions}
[service_available]
neutron = true
nova = false
glance = false
cinder = false
swift = false
horizon = false
"""

# Octavia's tests ask for Nova and Glance, of which those of the API use nothing.  The key manager is ours
BALANCING = """
[service_available]
neutron = true
nova = true
glance = true
cinder = false
swift = false
horizon = false
load_balancer = true
barbican = true
[load_balancer]
region = RegionOne
provider = netweft
availability_zone = nova
availability_zone2 = nova2
availability_zone3 = nova3
enabled_provider_drivers = netweft:{provider}
expected_flavor_capability = loadbalancer_topology:{topology}
expected_availability_zone_capability = compute_zone:{zone}
check_interval = 0.05
lb_build_interval = 0.05
lb_build_timeout = 30
check_timeout = 30
build_interval = 0.1
"""


def configure(server: Server, folder: Path) -> list[str]:
    """The aliases that the API names."""
    http = httpx.Client(base_url=f"{server.url}/v2.0", headers={"X-Auth-Token": server.token()}, timeout=30.0)

    def make(member: str, **values: Any) -> Any:
        answer = http.post(f"/{member}s", json={member: values})
        assert answer.status_code == 201, answer.text
        return answer.json()[member]

    external = make("network", name="public", **{"router:external": True})["id"]
    for cidr in ("172.24.4.0/24", "2001:db8::/64"):
        make("subnet", network_id=external, cidr=cidr, ip_version=6 if ":" in cidr else 4, enable_dhcp=False)
    aliases = sorted(one["alias"] for one in http.get("/extensions").json()["extensions"])
    values = {"folder": folder, "url": server.url, "external": external, "extensions": ",".join(aliases)}
    config = CONFIG.format(password=server.openrc()["OS_PASSWORD"], **values)
    (folder / "tempest.conf").write_text(config)
    balancing = folder / "load-balancer"
    balancing.mkdir()
    (balancing / "tempest.conf").write_text(config.partition("[service_available]")[0] + _balancing())
    return aliases


def _balancing() -> str:
    topology = offers.FLAVOR_CAPABILITIES["loadbalancer_topology"].told
    zone = offers.ZONE_CAPABILITIES["compute_zone"].told
    return BALANCING.format(provider=offers.PROVIDERS["netweft"], topology=topology, zone=zone)
