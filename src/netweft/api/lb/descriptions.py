"""Octavia's resources as data: what their bodies may say, by name, and what answers tell.

What `nested` describes comes in a single-call create only: the same, within its parent's body.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from netweft.api import checks
from netweft.api.lb import fields
from netweft.api.lb.fields import PORT, REQUIRED, TIMEOUT, Field, Fields, flag, number, one_of, shown, whole
from netweft.control.lb import vocabulary
from netweft.model.load_balancer import LOAD_BALANCER

MOST_BELOW: Final = 1000  # of each kind, in one body


class Kind(NamedTuple):
    """member, collection: its names in bodies.  kind: in the store, in paths.  title: in messages.
    sub: attributes of nested kinds -> whether there are several, and which.
    parent: the attribute that names what it is a part of in paths, and that kind."""

    member: str
    collection: str
    kind: str
    title: str
    fields: Fields
    sub: Mapping[str, tuple[bool, str]] = {}
    parent: tuple[str, str] | None = None
    computed: frozenset[str] = frozenset({"provisioning_status", "operating_status"})

    @property
    def listed(self) -> Fields:
        return {name: field for name, field in self.fields.items() if field.shown}


_ID = shown(check=checks.uuid_text)
_PROJECT = {"project_id": Field(check=checks.string(36), put=False)}
_TIMES = {"created_at": shown(), "updated_at": shown()}
_STATUSES = {
    "provisioning_status": shown(sort=False),
    "operating_status": shown(sort=False),
}
_TAGS = {"tags": Field(check=fields.tags, default=[], filter=False, sort=False)}
_NAME = {"name": Field(check=checks.string(255), default="")}
_DESCRIPTION = {"description": Field(check=checks.string(255), default="")}
_COMMON: Fields = {"id": _ID, **_NAME, **_STATUSES, "admin_state_up": flag(default=True), **_PROJECT, **_TIMES, **_TAGS}
_BALANCER_ID = Field(check=fields.uuid, default=REQUIRED, put=False, kept=LOAD_BALANCER, shown=False)
_REF, _REFS = Field(filter=False), Field(check=fields.texts(), default=[], filter=False, sort=False)
_IDS = shown(filter=False, sort=False)


def _vips(value: Any) -> Any:
    one = checks.record(
        {"subnet_id": fields.uuid}, {"ip_address": fields.ip_address, "port_id": fields.uuid, "network_id": fields.uuid}
    )
    return checks.list_of(one, most=16)(value)


_VIP = {
    "vip_address": Field(check=fields.ip_address, put=False),
    "vip_port_id": Field(check=fields.uuid, put=False),
    "vip_subnet_id": Field(check=fields.uuid, put=False),
    "vip_network_id": Field(check=fields.uuid, put=False),
    "vip_qos_policy_id": Field(check=fields.uuid),
    "vip_sg_ids": Field(check=checks.list_of(fields.uuid, most=50), default=[], filter=False, sort=False),
    "vip_vnic_type": shown(filter=False),
    "additional_vips": Field(check=_vips, default=[], put=False, filter=False, sort=False),
}
BALANCER = Kind(
    "loadbalancer",
    "loadbalancers",
    vocabulary.BALANCERS,
    "Load Balancer",
    {
        **_COMMON,
        **_DESCRIPTION,
        **_VIP,
        "provider": Field(check=checks.string(64), put=False),
        "flavor_id": Field(check=fields.uuid, put=False),
        "availability_zone": Field(check=checks.string(255), put=False),
        "listeners": _IDS,
        "pools": _IDS,
    },
    {"listeners": (True, "listener"), "pools": (True, "pool")},
    computed=frozenset({"operating_status"}),
)
_TLS = {
    "tls_ciphers": Field(check=checks.string(2048), filter=False),
    "tls_versions": Field(check=fields.texts(32), filter=False, sort=False),
    "alpn_protocols": Field(check=fields.texts(32), filter=False, sort=False),
}


_LISTENER: Fields = {
    **_COMMON,
    **_DESCRIPTION,
    "protocol": Field(check=one_of(*vocabulary.LISTENER_PROTOCOLS), default=REQUIRED, put=False),
    "protocol_port": whole(PORT, default=REQUIRED, put=False),
    "connection_limit": whole(number(-1, 2**31 - 1), default=-1),
    "default_pool_id": Field(check=fields.uuid),
    "default_tls_container_ref": _REF,
    "sni_container_refs": _REFS,
    "client_ca_tls_container_ref": _REF,
    "client_authentication": Field(check=one_of(*vocabulary.CLIENT_AUTHENTICATION), default="NONE", filter=False),
    "client_crl_container_ref": _REF,
    **_TLS,
    "insert_headers": Field(check=fields.headers, default={}, filter=False, sort=False),
    "timeout_client_data": whole(TIMEOUT, default=50_000),
    "timeout_member_connect": whole(TIMEOUT, default=5_000),
    "timeout_member_data": whole(TIMEOUT, default=50_000),
    "timeout_tcp_inspect": whole(TIMEOUT, default=0),
    "allowed_cidrs": Field(check=fields.cidrs, filter=False, sort=False),
    "hsts_max_age": whole(number(0, 2**31 - 1), filter=False),
    "hsts_include_subdomains": flag(default=False, filter=False),
    "hsts_preload": flag(default=False, filter=False),
    "loadbalancers": _IDS,
    "l7policies": _IDS,
}
LISTENER = Kind(
    "listener",
    "listeners",
    vocabulary.LISTENERS,
    "Listener",
    {**_LISTENER, "loadbalancer_id": _BALANCER_ID},
    {"default_pool": (False, "pool"), "l7policies": (True, "l7policy")},
)
_POOL: Fields = {
    **_COMMON,
    **_DESCRIPTION,
    "protocol": Field(check=one_of(*vocabulary.POOL_PROTOCOLS), default=REQUIRED, put=False),
    "lb_algorithm": Field(check=one_of(*vocabulary.ALGORITHMS), default=REQUIRED),
    "session_persistence": Field(check=fields.persistence(vocabulary.PERSISTENCE), filter=False, sort=False),
    "tls_enabled": flag(default=False, filter=False),
    "tls_container_ref": _REF,
    "ca_tls_container_ref": _REF,
    "crl_container_ref": _REF,
    **_TLS,
    "loadbalancers": _IDS,
    "listeners": _IDS,
    "members": _IDS,
    "healthmonitor_id": shown(),
}
POOL = Kind(
    "pool",
    "pools",
    vocabulary.POOLS,
    "Pool",
    {
        **_POOL,
        "loadbalancer_id": Field(check=fields.uuid, put=False, kept=LOAD_BALANCER, shown=False),
        "listener_id": Field(check=fields.uuid, put=False, shown=False, filter=False),
    },
    {"members": (True, "member"), "healthmonitor": (False, "healthmonitor")},
)
MEMBER = Kind(
    "member",
    "members",
    vocabulary.MEMBERS,
    "Member",
    {
        **_COMMON,
        "address": Field(check=fields.address_as_said, default=REQUIRED, put=False, parse=fields.ip_address),
        "protocol_port": whole(PORT, default=REQUIRED, put=False),
        "weight": whole(number(0, 256), default=1),
        "backup": flag(default=False),
        "subnet_id": Field(check=fields.uuid, put=False),
        "monitor_address": Field(check=fields.address_as_said, parse=fields.ip_address),
        "monitor_port": whole(PORT),
        "request_sriov": flag(default=False, put=False, shown=False, filter=False),
        "vnic_type": shown(filter=False),
    },
    parent=("pool_id", vocabulary.POOLS),
)
_MONITOR: Fields = {
    **_COMMON,
    "type": Field(check=one_of(*vocabulary.MONITOR_TYPES), default=REQUIRED, put=False),
    "delay": whole(number(0, 2**31 - 1), default=REQUIRED),
    "timeout": whole(number(0, 2**31 - 1), default=REQUIRED),
    "max_retries": whole(number(1, 10), default=REQUIRED),
    "max_retries_down": whole(number(1, 10), default=3),
    "http_method": Field(check=one_of(*vocabulary.HTTP_METHODS)),
    "url_path": Field(check=fields.url_path),
    "expected_codes": Field(check=fields.expected_codes),
    "http_version": Field(check=one_of(*vocabulary.HTTP_VERSIONS), filter=False),
    "domain_name": Field(check=fields.domain_name, filter=False),
    "pools": _IDS,
}
MONITOR = Kind(
    "healthmonitor",
    "healthmonitors",
    vocabulary.MONITORS,
    "Health Monitor",
    {**_MONITOR, "pool_id": Field(check=fields.uuid, default=REQUIRED, put=False, shown=False)},
)
_POLICY: Fields = {
    **_COMMON,
    **_DESCRIPTION,
    "action": Field(check=one_of(*vocabulary.ACTIONS), default=REQUIRED),
    "position": whole(number(1, 2**31 - 1), default=2**31 - 1),
    "redirect_pool_id": Field(check=fields.uuid),
    "redirect_url": Field(check=fields.url),
    "redirect_prefix": Field(check=fields.url),
    "redirect_http_code": whole(one_of(*vocabulary.REDIRECT_CODES)),
    "rules": _IDS,
}
POLICY = Kind(
    "l7policy",
    "l7policies",
    vocabulary.POLICIES,
    "L7 Policy",
    {**_POLICY, "listener_id": Field(check=fields.uuid, default=REQUIRED, put=False)},
    {"rules": (True, "rule"), "redirect_pool": (False, "pool")},
)
RULE = Kind(
    "rule",
    "rules",
    vocabulary.L7RULES,
    "L7 Rule",
    {
        **{name: field for name, field in _COMMON.items() if name != "name"},
        "type": Field(check=one_of(*vocabulary.RULE_TYPES), default=REQUIRED),
        "compare_type": Field(check=one_of(*vocabulary.COMPARE_TYPES), default=REQUIRED),
        "key": Field(check=fields.line),
        "value": Field(check=fields.line, default=REQUIRED),
        "invert": flag(default=False),
    },
    parent=("l7policy_id", vocabulary.POLICIES),
)
KINDS: Final[Sequence[Kind]] = (BALANCER, LISTENER, POOL, MEMBER, MONITOR, POLICY, RULE)
_BY_KIND: Final = {one.kind: one for one in KINDS}


def _within(kind: Kind, leaves_open: Sequence[str] = ()) -> Kind:
    """As it stands in its parent's body, where it need not say whose it is.  leaves_open: what a name may stand for."""
    left_out = ("loadbalancer_id", "listener_id", "pool_id")
    inside = {name: field for name, field in kind.fields.items() if name not in left_out}
    inside |= {name: Field(check=inside[name].check) for name in leaves_open}
    return kind._replace(fields=inside)


NESTED: Final[Mapping[str, Kind]] = {
    "listener": _within(LISTENER),
    "pool": _within(POOL, ("protocol", "lb_algorithm")),
    "member": MEMBER,
    "healthmonitor": _within(MONITOR),
    "l7policy": _within(POLICY),
    "rule": RULE,
}


def of(kind: str) -> Kind:
    return _BY_KIND[kind]


FLAVOR_FIELDS: Fields = {
    "id": _ID,
    "name": Field(check=checks.string(255), default=REQUIRED),
    **_DESCRIPTION,
    "enabled": flag(default=True),
    "flavor_profile_id": Field(check=fields.uuid, default=REQUIRED, put=False),
}
FLAVOR_PROFILE_FIELDS: Fields = {
    "id": _ID,
    "name": Field(check=checks.string(255), default=REQUIRED),
    "provider_name": Field(check=checks.string(255), default=REQUIRED),
    "flavor_data": Field(check=checks.string(4096), default=REQUIRED),
}
ZONE_FIELDS: Fields = {
    "name": Field(check=checks.string(255), default=REQUIRED, put=False),
    **_DESCRIPTION,
    "enabled": flag(default=True),
    "availability_zone_profile_id": Field(check=fields.uuid, default=REQUIRED, put=False),
}
ZONE_PROFILE_FIELDS: Fields = {
    "id": _ID,
    "name": Field(check=checks.string(255), default=REQUIRED),
    "provider_name": Field(check=checks.string(255), default=REQUIRED),
    "availability_zone_data": Field(check=checks.string(4096), default=REQUIRED),
}
