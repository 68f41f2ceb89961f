"""ports"""

from collections.abc import Sequence
from functools import partial

from netweft.api import checks, dns_names
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import (
    ADMIN_STATE,
    NETWORK_ID,
    PROJECT,
    READ_ONLY,
    STANDARD,
    STATUS,
    STATUS_DETAIL,
    flag,
    or_empty,
)
from netweft.control import qos
from netweft.control.errors import PortNotFound
from netweft.control.l2 import hosts, names, placement, wires
from netweft.control.l2.dynamic_segments import DYNAMIC, OWNERS
from netweft.control.l2.segments import PROVIDER, TYPE
from netweft.control.l2.trunks import with_details
from netweft.control.l3.associations import LEADING
from netweft.control.l3.errors import FipAssociated
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

_VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)


_SHOWN = Attribute(check=READ_ONLY)
_NETWORK_POLICY = "qos_network_policy_id"

ATTRIBUTES = STANDARD | {
    "network_id": NETWORK_ID,
    "admin_state_up": ADMIN_STATE,
    "status": STATUS,
    "status_detail": STATUS_DETAIL,
    "mac_address": Attribute(
        check=checks.or_none(checks.mac_address),  # None: a new one is drawn
        parse=checks.mac_address,
        post=True,
        put=True,
        filter=True,
        sort=True,
    ),
    "fixed_ips": Attribute(check=checks.fixed_ips, post=True, put=True, filter=True),
    "device_id": Attribute(check=checks.string(255), post=True, put=True, default="", filter=True, sort=True),
    "device_owner": Attribute(
        check=checks.string(255),
        post=True,
        put=True,
        default="",
        filter=True,
        sort=True,
    ),
    "security_groups": Attribute(check=checks.security_groups, post=True, put=True, filter=True),
    "port_security_enabled": flag(post=True, put=True),
    "allowed_address_pairs": Attribute(check=checks.address_pairs, post=True, put=True),
    "extra_dhcp_opts": Attribute(check=checks.dhcp_options, post=True, put=True, default=None),
    "tags": Attribute(check=checks.tags, post=True, default=[]),
    # what somebody who watches the data plane has found out about it; nothing here depends on it
    "data_plane_status": Attribute(check=checks.one_of("ACTIVE", "DOWN", None), put=True),
    "trunk_details": Attribute(check=READ_ONLY),
    names.NAME: Attribute(check=dns_names.host_name, post=True, put=True, default="", show=or_empty),
    names.DOMAIN: Attribute(check=dns_names.domain, post=True, put=True, default="", show=or_empty),
    names.ASSIGNMENT: _SHOWN,
    "qos_policy_id": Attribute(check=checks.or_none(checks.uuid_text), post=True, put=True, default=None),
    _NETWORK_POLICY: Attribute(check=READ_ONLY),
    placement.REQUEST: _SHOWN,
    "binding:host_id": Attribute(
        check=checks.or_none(checks.string(255)),
        post=True,
        put=True,
        filter=True,
    ),
    "binding:profile": Attribute(check=checks.or_none(checks.dictionary), post=True, put=True),
    "binding:vif_type": _SHOWN,
    "binding:vif_details": _SHOWN,
    "binding:vnic_type": Attribute(check=checks.one_of(*_VNIC_TYPES), post=True, put=True, default="normal"),
    # what Nova reads when it places the VM
    "numa_affinity_policy": Attribute(
        check=checks.one_of("required", "preferred", "legacy", "socket", None),
        post=True,
        put=True,
        default=None,
    ),
    "device_profile": Attribute(check=checks.or_none(checks.string(255)), post=True, default=None),
}


BINDING = {
    "host": Attribute(check=checks.string(255), post=True, default=REQUIRED, filter=True),
    "vif_type": Attribute(check=READ_ONLY, filter=True),
    "vif_details": Attribute(check=READ_ONLY),
    "vnic_type": Attribute(check=checks.one_of(*_VNIC_TYPES), post=True, put=True, default="normal", filter=True),
    "profile": Attribute(check=checks.or_none(checks.dictionary), post=True, put=True),
    "status": Attribute(check=READ_ONLY, filter=True),
    "project_id": PROJECT,
}


def present(domain: str, tx: ReadTransaction, ports: Sequence[Object]) -> Sequence[Object]:
    """Their trunks, their names, what their networks say of quality, and what that asks of Placement."""
    networks = tx.get_many("networks", {port["network_id"] for port in ports})
    requests = placement.requests(tx, ports, networks)
    return [
        port
        | {
            _NETWORK_POLICY: networks[port["network_id"]].get(qos.POLICY),
            placement.REQUEST: requests.get(port["id"]),
            "status_detail": wires.detail(port),
            "data_plane_status": port.get("data_plane_status"),
            names.ASSIGNMENT: names.assignment(port, networks[port["network_id"]], domain),
            **_levels(port, networks[port["network_id"]]),
        }
        for port in with_details(tx, ports)
    ]


def _levels(port: Object, network: Object) -> Object:
    """Through which segments it is bound, where these are several: for admins, among the details of its VIF."""
    own, dynamic = network.get("segments") or [network], network.get(DYNAMIC) or ()
    if not port.get(hosts.TUNNELLED_TO) or hosts.is_bare_metal(port):
        return {}
    ends = [(port[hosts.TUNNELLED_TO], one) for one in own if one[TYPE] == hosts.VXLAN]
    ends += [(port[hosts.HOST], one) for one in dynamic if port[hosts.TUNNELLED_TO] in one[OWNERS]]
    levels = [{"bound_by": by, **{name: one[name] for name in PROVIDER}} for by, one in ends]
    return {hosts.VIF_DETAILS: port[hosts.VIF_DETAILS] | {"binding_levels": levels}}


def refuse_to_part(tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None) -> None:
    """A port with another project's floating IP is deleted by an admin only."""
    if wanted is None and current is not None and not context.is_admin:
        leading = tx.get_many("floatingips", current.get(LEADING) or ())
        if any(one["project_id"] != context.project_id for one in leading.values()):
            raise FipAssociated(port_id=current["id"])


def port(use_cases: UseCases, domain: str) -> Resource:
    """domain: of ports whose network has none."""
    return Resource(
        member="port",
        collection="ports",
        quota=500,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=PortNotFound,
        present=partial(present, domain),
        refuse=refuse_to_part,
        computed=frozenset({"trunk_details", _NETWORK_POLICY, placement.REQUEST, names.ASSIGNMENT}),
    )
