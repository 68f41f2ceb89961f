"""Load balancers, as a node sees them: Octavia's objects with Octavia's field names.

What is settled between the API, the flows, HAProxy and the health monitors:

- A balancer's **VIP is a Neutron port** (`device_owner` VIP_OWNER, `device_id` `lb-<id>`), made and deleted with it in
  one transaction.  It is bound nowhere, so no Peer stands for it: its address and MAC are on the LoadBalancer.
  `additional_vips` are further addresses of that same port, on other subnets of that same network.
- Every object of a tree has `load_balancer_id`, also where Octavia's has it not (in rows: LOAD_BALANCER), and belongs
  to one balancer for life.  In the feed they all stand in one topic, `balancer(id)`; the balancer itself stands in its
  `network` topic, so that who has the VIP's network, by a port or by a router, has the tree (`feed/relevance`).
- **What is being deleted is not shown to nodes**: an object is here until the transaction that deletes it, and gone
after.  - `admin_state_up` of an object says of that one only: below a disabled one everything rests.
- A Pool says nothing of who uses it: a listener by `default_pool_id`, an L7 policy by `redirect_pool_id`.
- **Statuses stay on the server**, but for `Member.operating_status`, which the health monitor's reports write: a
  member of a pool with a monitor gets traffic only while it is HEALTHY (fail closed: it is born OFFLINE); NO_MONITOR
  gets traffic.  Weight 0 (DRAINING for the API) gets no new connections, whatever its health.
  `gets_traffic` says all that.
- Times: `timeout_*` of listeners in milliseconds, `delay`, `timeout` of monitors and `persistence_timeout` in seconds.
- Null in the API is None here, or the type's empty value where those mean the same.
- `provisioning_status` becomes ACTIVE once the nodes that follow the balancer report a revision that has the change
  (`Report.revision`): whoever puts a balancer in place has done so when the agent's loop is idle at that revision.
"""

from typing import Any, Final

from msgspec import Struct, field

from netweft.model.network import FixedIp
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON

VIP_OWNER: Final = "Octavia"  # the device_owner of VIP ports; their device_id: VIP_DEVICE and the balancer's id
VIP_DEVICE: Final = "lb-"
# of ports whose addresses ask members, as OVN's driver for Octavia calls them; their device_id: the mechanism's name
ASKING_OWNER: Final = "ovn-lb-hm:distributed"
VIP_MAC: Final = "netweft:vip_mac_address"  # kept on a balancer's row: its port's
VIP_ADDRESSES: Final = "netweft:vip_addresses"  # kept likewise: all of that port's, with their subnets
LOAD_BALANCER: Final = (
    "device_id"  # on every row of a tree: its balancer, by an attribute that the store has an index of
)
NETWORK: Final = "network_id"  # kept on a balancer's row: vip_network_id, likewise
FLAVOR: Final = "netweft:flavor"  # kept likewise: what its flavor says

TYPE: Final = "of_type"  # of a monitor and a rule, in messages: `type` is their tag's there

# operating statuses, Octavia's words
ONLINE, OFFLINE, DRAINING, DEGRADED = "ONLINE", "OFFLINE", "DRAINING", "DEGRADED"
ERROR, NO_MONITOR = "ERROR", "NO_MONITOR"
HEALTHY: Final = frozenset({ONLINE, NO_MONITOR, DRAINING})

# what flows alone can do; everything else needs HAProxy
L4_PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})
ROUND_ROBIN, SOURCE_IP, SOURCE_IP_PORT = "ROUND_ROBIN", "SOURCE_IP", "SOURCE_IP_PORT"
LEAST_CONNECTIONS: Final = "LEAST_CONNECTIONS"


class Vip(Struct, frozen=True):
    """One address of a balancer's VIP port."""

    ip_address: str
    subnet_id: str


class LoadBalancer(Struct, frozen=True, kw_only=True, tag="load_balancer", omit_defaults=True):
    """vip_address, vip_subnet_id: the first of its addresses.  vips: all of them, that one first.
    vip_sg_ids: the user's security groups for the VIP (v2.29); the VIP's port has no others."""

    id: str
    name: str = ""
    project_id: str = ""
    vip_address: str
    vip_port_id: str
    vip_network_id: str
    vip_subnet_id: str | None = None
    vip_mac_address: str = field(default="", name=VIP_MAC)
    vips: tuple[Vip, ...] = field(default=(), name=VIP_ADDRESSES)
    vip_qos_policy_id: str | None = None
    vip_sg_ids: tuple[str, ...] = ()
    flavor: dict[str, Any] = field(default={}, name=FLAVOR)
    availability_zone: str | None = None
    admin_state_up: bool = True

    @property
    def additional_vips(self) -> tuple[Vip, ...]:
        return self.vips[1:]


class VipPort(Struct, frozen=True, kw_only=True, tag="vip_port", omit_defaults=True):
    """The port of a VIP on a provider network, as far as its wire goes.

    answers_on: the node that answers physical hosts for it; hosts: that one, then those that take over when it is
    gone, in this order."""

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    device_id: str = ""
    answers_on: str = field(default="", name=ANSWERS_ON)
    hosts: tuple[str, ...] = field(default=(), name=ANSWERS_HOSTS)

    @property
    def order(self) -> tuple[str, ...]:
        return self.hosts


class Listener(Struct, frozen=True, kw_only=True, tag="listener", omit_defaults=True):
    """protocol: TCP, UDP, SCTP, HTTP, HTTPS (passed through), TERMINATED_HTTPS or PROMETHEUS.
    connection_limit: -1 is none.  allowed_cidrs: who may connect; empty: everybody.
    *_container_ref: URLs of the key manager's containers or secrets."""

    id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    name: str = ""
    protocol: str
    protocol_port: int
    default_pool_id: str | None = None
    connection_limit: int = -1
    allowed_cidrs: tuple[str, ...] = ()
    insert_headers: dict[str, str] = {}
    timeout_client_data: int = 50_000
    timeout_member_connect: int = 5_000
    timeout_member_data: int = 50_000
    timeout_tcp_inspect: int = 0
    default_tls_container_ref: str | None = None
    sni_container_refs: tuple[str, ...] = ()
    client_ca_tls_container_ref: str | None = None
    client_authentication: str = "NONE"
    client_crl_container_ref: str | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()
    hsts_max_age: int | None = None
    hsts_include_subdomains: bool = False
    hsts_preload: bool = False
    admin_state_up: bool = True


class SessionPersistence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """type: SOURCE_IP, HTTP_COOKIE or APP_COOKIE (that one's name: cookie_name).
    persistence_*: of SOURCE_IP with UDP and SCTP: seconds, and a netmask."""

    type: str
    cookie_name: str | None = None
    persistence_timeout: int | None = None
    persistence_granularity: str | None = None


class Pool(Struct, frozen=True, kw_only=True, tag="pool", omit_defaults=True):
    """protocol: TCP, UDP, SCTP, HTTP, HTTPS, PROXY or PROXYV2.
    lb_algorithm: ROUND_ROBIN, LEAST_CONNECTIONS, SOURCE_IP or SOURCE_IP_PORT.
    tls_enabled: towards the members.  healthmonitor_id: None for a pool whose members are not watched."""

    id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    name: str = ""
    protocol: str
    lb_algorithm: str
    session_persistence: SessionPersistence | None = None
    healthmonitor_id: str | None = None
    tls_enabled: bool = False
    tls_container_ref: str | None = None
    ca_tls_container_ref: str | None = None
    crl_container_ref: str | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()
    admin_state_up: bool = True


class Member(Struct, frozen=True, kw_only=True, tag="member", omit_defaults=True):
    """weight: 0..256.  backup: gets traffic only when no other member of the pool does.
    subnet_id: of its address; None: where the VIP's network is routed to.
    monitor_*: where the health monitor probes instead of address and protocol_port."""

    id: str
    pool_id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    name: str = ""
    address: str
    protocol_port: int
    weight: int = 1
    backup: bool = False
    subnet_id: str | None = None
    monitor_address: str | None = None
    monitor_port: int | None = None
    admin_state_up: bool = True
    operating_status: str = NO_MONITOR

    @property
    def gets_traffic(self) -> bool:
        """New connections, as far as it is up to this member alone."""
        return self.admin_state_up and self.weight > 0 and self.operating_status in HEALTHY


class HealthMonitor(Struct, frozen=True, kw_only=True, tag="health_monitor", omit_defaults=True):
    """type: HTTP, HTTPS, TCP, UDP-CONNECT, TLS-HELLO, PING or SCTP.  delay, timeout: seconds.
    max_retries: successes until a member is ONLINE; max_retries_down: failures until it is ERROR.
    expected_codes: `200`, `200,202` or `200-204`."""

    id: str
    pool_id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    name: str = ""
    type: str = field(name=TYPE)
    delay: int
    timeout: int
    max_retries: int
    max_retries_down: int = 3
    http_method: str | None = None
    http_version: float | None = None
    url_path: str | None = None
    expected_codes: str | None = None
    domain_name: str | None = None
    admin_state_up: bool = True


class L7Policy(Struct, frozen=True, kw_only=True, tag="l7_policy", omit_defaults=True):
    """action: REJECT, REDIRECT_TO_POOL, REDIRECT_TO_URL or REDIRECT_PREFIX.
    position: from 1, without gaps, the order in which a listener's policies are looked at within Octavia's order of
    actions (REJECT first, then REDIRECT_PREFIX and REDIRECT_TO_URL, then REDIRECT_TO_POOL).
    A policy without rules matches nothing; with several, all of them have to match."""

    id: str
    listener_id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    name: str = ""
    action: str
    position: int
    redirect_pool_id: str | None = None
    redirect_url: str | None = None
    redirect_prefix: str | None = None
    redirect_http_code: int | None = None
    admin_state_up: bool = True


class L7Rule(Struct, frozen=True, kw_only=True, tag="l7_rule", omit_defaults=True):
    """type: HOST_NAME, PATH, FILE_TYPE, HEADER, COOKIE, SSL_CONN_HAS_CERT, SSL_VERIFY_RESULT or SSL_DN_FIELD.
    compare_type: REGEX, STARTS_WITH, ENDS_WITH, CONTAINS or EQUAL_TO.  key: of HEADER, COOKIE and SSL_DN_FIELD."""

    id: str
    l7policy_id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    type: str = field(name=TYPE)
    compare_type: str
    key: str | None = None
    value: str
    invert: bool = False
    admin_state_up: bool = True
