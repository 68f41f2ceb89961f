"""Fills a Neutron through its API with one of everything that `netweft import` takes over.  Run by `record.sh`.

python fill.py URL      a Neutron with `auth_strategy = noauth`
"""

import sys
from typing import Any

import httpx

RED, BLUE = "a" * 32, "b" * 32  # two projects


class Cloud:
    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/v2.0", timeout=60)

    def make(self, path: str, member: str, **values: Any) -> Any:
        answer = self._http.post(path, json={member: values})
        if answer.status_code >= 300:
            sys.exit(f"POST {path} {values}: {answer.text}")
        return answer.json()[member]

    def put(self, path: str, body: Any) -> Any:
        answer = self._http.put(path, json=body)
        if answer.status_code >= 300:
            sys.exit(f"PUT {path} {body}: {answer.text}")
        return answer.json()

    def get(self, path: str, **query: str) -> Any:
        return self._http.get(path, params=query).json()


def fill(cloud: Cloud) -> None:
    scope = cloud.make("/address-scopes", "address_scope", name="routable", ip_version=4, project_id=RED)
    pool = cloud.make(
        "/subnetpools",
        "subnetpool",
        name="pool",
        prefixes=["10.64.0.0/12"],
        default_prefixlen=24,
        address_scope_id=scope["id"],
        project_id=RED,
    )
    limit = cloud.make("/qos/policies", "policy", name="slow", project_id=RED, shared=True)
    cloud.make(
        f"/qos/policies/{limit['id']}/bandwidth_limit_rules", "bandwidth_limit_rule", max_kbps=5000, max_burst_kbps=500
    )
    cloud.make(f"/qos/policies/{limit['id']}/dscp_marking_rules", "dscp_marking_rule", dscp_mark=26)
    outside = cloud.make(
        "/networks",
        "network",
        name="public",
        **{"router:external": True, "provider:network_type": "flat", "provider:physical_network": "public"},
        project_id=RED,
    )
    public = cloud.make(
        "/subnets",
        "subnet",
        name="public4",
        network_id=outside["id"],
        ip_version=4,
        cidr="203.0.113.0/24",
        gateway_ip="203.0.113.1",
        allocation_pools=[{"start": "203.0.113.10", "end": "203.0.113.200"}],
        enable_dhcp=False,
        project_id=RED,
    )
    web = cloud.make(
        "/networks", "network", name="web", project_id=RED, mtu=1400, qos_policy_id=limit["id"], description="shop"
    )
    web4 = cloud.make(
        "/subnets",
        "subnet",
        name="web4",
        network_id=web["id"],
        ip_version=4,
        cidr="10.0.1.0/24",
        dns_nameservers=["10.0.1.2", "9.9.9.9"],
        host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.0.1.9"}],
        project_id=RED,
    )
    web6 = cloud.make(
        "/subnets",
        "subnet",
        name="web6",
        network_id=web["id"],
        ip_version=6,
        cidr="2001:db8:1::/64",
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
        project_id=RED,
    )
    pooled = cloud.make("/networks", "network", name="pooled", mtu=1400, project_id=RED)
    cloud.make(
        "/subnets",
        "subnet",
        name="from-pool",
        network_id=pooled["id"],
        ip_version=4,
        subnetpool_id=pool["id"],
        project_id=RED,
    )
    wire = cloud.make(
        "/networks",
        "network",
        name="wire",
        project_id=BLUE,
        **{
            "provider:network_type": "vlan",
            "provider:physical_network": "physnet1",
            "provider:segmentation_id": 142,
        },
    )
    wired = cloud.make(
        "/subnets", "subnet", name="wire4", network_id=wire["id"], ip_version=4, cidr="10.0.2.0/24", project_id=BLUE
    )
    cloud.make(
        "/rbac-policies",
        "rbac_policy",
        object_type="network",
        object_id=wire["id"],
        action="access_as_shared",
        target_tenant=RED,
        project_id=BLUE,
    )
    hosts = cloud.make("/address-groups", "address_group", name="office", addresses=["198.51.100.0/24"], project_id=RED)
    open_web = cloud.make("/security-groups", "security_group", name="web", project_id=RED)
    cloud.make(
        "/security-group-rules",
        "security_group_rule",
        security_group_id=open_web["id"],
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=80,
        port_range_max=80,
        remote_ip_prefix="0.0.0.0/0",
        project_id=RED,
    )
    cloud.make(
        "/security-group-rules",
        "security_group_rule",
        security_group_id=open_web["id"],
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=22,
        port_range_max=22,
        remote_address_group_id=hosts["id"],
        project_id=RED,
    )
    cloud.make(
        "/security-group-rules",
        "security_group_rule",
        security_group_id=open_web["id"],
        direction="ingress",
        ethertype="IPv6",
        protocol="ipv6-icmp",
        remote_group_id=open_web["id"],
        project_id=RED,
    )
    one = cloud.make(
        "/ports",
        "port",
        name="vm1",
        network_id=web["id"],
        project_id=RED,
        device_owner="compute:nova",
        device_id="11111111-1111-1111-1111-111111111111",
        security_groups=[open_web["id"]],
        mac_address="fa:16:3e:00:00:01",
        fixed_ips=[{"subnet_id": web4["id"], "ip_address": "10.0.1.11"}, {"subnet_id": web6["id"]}],
        allowed_address_pairs=[{"ip_address": "10.0.1.200"}],
        extra_dhcp_opts=[{"opt_name": "bootfile-name", "opt_value": "pxe.0"}],
        dns_name="vm1",
        **{"binding:host_id": "node1"},
    )
    cloud.put(f"/ports/{one['id']}/tags", {"tags": ["gold", "shop"]})
    cloud.make(
        "/ports",
        "port",
        name="vm2",
        network_id=web["id"],
        project_id=RED,
        device_owner="compute:nova",
        device_id="22222222-2222-2222-2222-222222222222",
        admin_state_up=False,
        qos_policy_id=limit["id"],
    )
    cloud.make("/ports", "port", name="open", network_id=wire["id"], project_id=BLUE, port_security_enabled=False)
    parent = cloud.make("/ports", "port", name="parent", network_id=web["id"], project_id=RED)
    child = cloud.make("/ports", "port", name="child", network_id=pooled["id"], project_id=RED)
    cloud.make(
        "/trunks",
        "trunk",
        name="trunk",
        port_id=parent["id"],
        sub_ports=[{"port_id": child["id"], "segmentation_type": "vlan", "segmentation_id": 7}],
        project_id=RED,
    )
    edge = cloud.make(
        "/routers",
        "router",
        name="edge",
        project_id=RED,
        external_gateway_info={
            "network_id": outside["id"],
            "external_fixed_ips": [{"subnet_id": public["id"], "ip_address": "203.0.113.20"}],
        },
    )
    cloud.put(f"/routers/{edge['id']}/add_router_interface", {"subnet_id": web4["id"]})
    cloud.put(f"/routers/{edge['id']}/add_router_interface", {"subnet_id": web6["id"]})
    cloud.put(
        f"/routers/{edge['id']}",
        {"router": {"routes": [{"destination": "172.16.0.0/16", "nexthop": "10.0.1.11"}]}},
    )
    inner = cloud.make("/routers", "router", name="inner", project_id=BLUE, admin_state_up=False)
    cloud.put(f"/routers/{inner['id']}/add_router_interface", {"subnet_id": wired["id"]})
    cloud.make(
        "/floatingips",
        "floatingip",
        floating_network_id=outside["id"],
        floating_ip_address="203.0.113.50",
        port_id=one["id"],
        description="shop's front",
        project_id=RED,
    )
    cloud.make(
        "/floatingips",
        "floatingip",
        floating_network_id=outside["id"],
        floating_ip_address="203.0.113.51",
        project_id=RED,
    )
    ahead = cloud.make("/floatingips", "floatingip", floating_network_id=outside["id"], project_id=RED)
    two = cloud.make("/ports", "port", name="inside", network_id=web["id"], project_id=RED)
    address = next(ip["ip_address"] for ip in two["fixed_ips"] if "." in ip["ip_address"])
    cloud.make(
        f"/floatingips/{ahead['id']}/port_forwardings",
        "port_forwarding",
        internal_port_id=two["id"],
        internal_ip_address=address,
        internal_port=22,
        external_port=2222,
        protocol="tcp",
    )
    cloud.make(f"/routers/{edge['id']}/conntrack_helpers", "conntrack_helper", protocol="tcp", helper="ftp", port=21)
    label = cloud.make("/metering/metering-labels", "metering_label", name="traffic", project_id=RED)
    cloud.make(
        "/metering/metering-label-rules",
        "metering_label_rule",
        metering_label_id=label["id"],
        direction="egress",
        destination_ip_prefix="198.51.100.0/24",
    )
    cloud.put(f"/quotas/{RED}", {"quota": {"port": 77, "network": 12}})


if __name__ == "__main__":
    fill(Cloud(sys.argv[1]))
