"""floatingips"""

from collections.abc import Sequence

from netweft.api import checks, dns_names
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.policy import check_ports
from netweft.api.resources.l3.port_forwardings import exposed
from netweft.api.resources.standard import READ_ONLY, STANDARD, STATUS, or_empty
from netweft.control.l2 import names
from netweft.control.l3.errors import BadFloatingIPRequest, FloatingIPNotFound
from netweft.control.l3.floating_ips import details
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

_IP = checks.or_none(checks.ip_address)
_ID = checks.or_none(checks.uuid_text)

_NETWORK_POLICY = "qos_network_policy_id"  # what limits it without a policy of its own

ATTRIBUTES = {name: attribute for name, attribute in STANDARD.items() if name != "name"} | {
    "floating_network_id": Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True),
    "floating_ip_address": Attribute(check=_IP, post=True, default=None, filter=True, sort=True),
    "subnet_id": Attribute(check=_ID, post=True, default=None),  # what its address is taken from; never shown
    "port_id": Attribute(check=_ID, post=True, put=True, default=None, filter=True),
    "fixed_ip_address": Attribute(check=_IP, post=True, put=True, default=None, filter=True, sort=True),
    "router_id": Attribute(check=READ_ONLY, filter=True, sort=True),
    "status": STATUS,
    "port_details": Attribute(check=READ_ONLY),
    "qos_policy_id": Attribute(check=_ID, post=True, put=True, default=None),
    _NETWORK_POLICY: Attribute(check=READ_ONLY),
    "port_forwardings": Attribute(check=READ_ONLY),
    names.NAME: Attribute(check=dns_names.relative_name, post=True, default="", show=or_empty),
    names.DOMAIN: Attribute(check=dns_names.domain, post=True, default="", show=or_empty),
    "distributed": Attribute(
        check=checks.or_none(checks.boolean), parse=checks.boolean, post=True, put=True, filter=True
    ),
}


def present(tx: ReadTransaction, floating_ips: Sequence[Object]) -> Sequence[Object]:
    ports = tx.get_many("ports", {one["port_id"] for one in floating_ips if one["port_id"]})
    networks = tx.get_many("networks", {one["floating_network_id"] for one in floating_ips})
    forwarded = exposed(tx, floating_ips)
    return [
        one
        | {
            "port_details": details(ports[one["port_id"]]) if one["port_id"] in ports else None,
            "port_forwardings": forwarded[one["id"]],
            _NETWORK_POLICY: networks[one["floating_network_id"]].get("qos_policy_id"),
        }
        for one in floating_ips
    ]


def refuse_others_port(tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None) -> None:
    """It is associated with its own project's ports, unless an admin does it."""
    port_id = (wanted or {}).get("port_id")
    if wanted is None or not port_id:
        return
    check_ports(tx, context, [{"port_id": port_id}])
    port = tx.get("ports", port_id)
    if port is not None and port["project_id"] != (current or wanted)["project_id"] and not context.is_admin:
        reason = (
            f"Cannot process floating IP association with Port {port_id}, "
            "since that port is owned by a different project"
        )
        raise BadFloatingIPRequest(reason=reason)


def floatingip(use_cases: UseCases) -> Resource:
    return Resource(
        member="floatingip",
        collection="floatingips",
        quota=50,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=FloatingIPNotFound,
        present=present,
        refuse=refuse_others_port,
        computed=frozenset({"port_details", "port_forwardings", _NETWORK_POLICY}),
    )
