"""What an administrator offers: flavors and availability zones of balancers, each of a profile that says what it means.

A zone's name is its id.  Profiles keep their data as the text that was sent, as Octavia's do.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from netweft.control.lb.errors import (
    AlreadyExists,
    DisabledOption,
    InvalidOption,
    LbNotFound,
    ObjectInUse,
    ProviderNotEnabled,
    UnsupportedOption,
    ValidationFailure,
)
from netweft.control.lb.vocabulary import PROVIDER
from netweft.model.load_balancer import FLAVOR as FLAVOR_DATA
from netweft.store import Claim, InUse, Link, Object, ReadTransaction, Taken, WriteTransaction

FLAVORS, FLAVOR_PROFILES = "lb_flavors", "lb_flavor_profiles"
ZONES, ZONE_PROFILES = "lb_zones", "lb_zone_profiles"
# the others are names that clients ask for by default (Kubernetes' cloud-provider-openstack: amphora), and mean ours
PROVIDERS: Final = {
    PROVIDER: "Flows and HAProxy on the hypervisors.",
    "amphora": f"Another name of {PROVIDER}.",
    "octavia": f"Another name of {PROVIDER}.",
}
TOPOLOGIES: Final = {"SINGLE": 1, "ACTIVE_STANDBY": 2}  # -> how many nodes run HAProxy
MOST_NODES: Final = 8
TOPOLOGY, NODES, COMPUTE_ZONE = "loadbalancer_topology", "haproxy_nodes", "compute_zone"
ZONE_DATA: Final = "netweft:zone"  # kept on a balancer's row: what its zone says
_ANY: Final = "00000000-0000-0000-0000-000000000000"  # what Octavia says of a flavor that is gone: never there


def _topology(value: Any) -> bool:
    return value in TOPOLOGIES


def _count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_NODES


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255


def _ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 100 and all(_text(one) for one in value)


class Capability(NamedTuple):
    """told: without commas and colons, which tempest's settings take for something else."""

    told: str
    check: Callable[[Any], bool]


FLAVOR_CAPABILITIES: Final[Mapping[str, Capability]] = {
    TOPOLOGY: Capability(
        "The load balancer topology. SINGLE or ACTIVE_STANDBY. HAProxy runs on one node or on two (both active).",
        _topology,
    ),
    NODES: Capability(
        f"On how many nodes HAProxy runs (1 to {MOST_NODES}). It counts before loadbalancer_topology.", _count
    ),
}
ZONE_CAPABILITIES: Final[Mapping[str, Capability]] = {
    COMPUTE_ZONE: Capability("HAProxy runs on nodes of this availability zone of the Networking service.", _text),
    "management_network": Capability("Kept and of no use as there is no management network.", _text),
    "valid_vip_networks": Capability("List of network IDs that are allowed for VIP use.", _ids),
}


class Offer(NamedTuple):
    """A flavor or a zone.  field: what messages call it.  profile: the attribute that names its profile."""

    kind: str
    title: str
    field: str
    profile: str
    profiles: str
    by_name: bool = False


FLAVOR = Offer(FLAVORS, "Flavor", "flavor", "flavor_profile_id", FLAVOR_PROFILES)
ZONE = Offer(ZONES, "Availability Zone", "availability zone", "availability_zone_profile_id", ZONE_PROFILES, True)


class Profile(NamedTuple):
    """Of what is offered.  data: the attribute that has its meaning."""

    kind: str
    title: str
    data: str
    capabilities: Mapping[str, Capability]


FLAVOR_PROFILE = Profile(FLAVOR_PROFILES, "Flavor profile", "flavor_data", FLAVOR_CAPABILITIES)
ZONE_PROFILE = Profile(ZONE_PROFILES, "Availability Zone Profile", "availability_zone_data", ZONE_CAPABILITIES)
_PROFILES = {one.kind: one for one in (FLAVOR_PROFILE, ZONE_PROFILE)}


def create_profile(tx: WriteTransaction, profile: Profile, wanted: Object) -> Object:
    _check_data(profile, wanted["provider_name"], wanted[profile.data])
    made = {"id": str(uuid.uuid4())} | wanted
    tx.insert(profile.kind, made)
    return made


def update_profile(tx: WriteTransaction, profile: Profile, id: str, changes: Object) -> Object:
    """What it means stays while somebody has it."""
    for name, value in changes.items():
        if value is None:
            raise InvalidOption(value=None, option=name)
    current = _locked(tx, profile.kind, profile.title, id)
    if changes.keys() & {profile.data, "provider_name"}:
        if tx.referrers(profile.kind, id):
            raise ObjectInUse(object=profile.title, id=id)
        after = current | changes
        _check_data(profile, after["provider_name"], after[profile.data])
    return tx.update(profile.kind, id, changes)


def delete_profile(tx: WriteTransaction, profile: Profile, id: str) -> None:
    _locked(tx, profile.kind, profile.title, id)
    _deleted(tx, profile.kind, profile.title, id)


def create(tx: WriteTransaction, offer: Offer, wanted: Object) -> Object:
    profile = wanted[offer.profile]
    if tx.get(offer.profiles, profile) is None:
        raise ValidationFailure(detail=f"{offer.profile} {profile} not found")
    made = {"id": wanted["name"] if offer.by_name else str(uuid.uuid4())} | wanted
    if offer.by_name and tx.get(offer.kind, made["id"]) is not None:
        raise AlreadyExists(field=offer.field, name=wanted["name"])
    try:
        claim = Claim(offer.kind, f"name {wanted['name']}")
        tx.insert(offer.kind, made, [Link(offer.profile, offer.profiles, profile)], [claim])
    except Taken:
        raise AlreadyExists(field=offer.field, name=wanted["name"]) from None
    return made


def update(tx: WriteTransaction, offer: Offer, id: str, changes: Object) -> Object:
    current = _locked(tx, offer.kind, offer.title, id)
    if changes.get("name", current["name"]) != current["name"]:
        try:
            tx.release(offer.kind, id, [Claim(offer.kind, f"name {current['name']}")])
            tx.claim(offer.kind, id, [Claim(offer.kind, f"name {changes['name']}")])
        except Taken:
            raise AlreadyExists(field=offer.field, name=changes["name"]) from None
    return tx.update(offer.kind, id, changes)


def delete(tx: WriteTransaction, offer: Offer, id: str) -> None:
    _locked(tx, offer.kind, offer.title, id)
    _deleted(tx, offer.kind, offer.title, id)


def meaning(tx: ReadTransaction, offer: Offer, id: str | None, option: str) -> Object:
    """What a balancer that asks for it gets: its profile, with its data.  Raises when it may not be had."""
    found = tx.get(offer.kind, id) if id else None
    if found is None:
        raise ValidationFailure(detail=f"Invalid {option}.")
    if not found["enabled"]:
        raise DisabledOption(option=offer.field.replace(" ", "_"), value=id)
    profile = tx.get(offer.profiles, found[offer.profile]) or {}
    data = profile.get(_PROFILES[offer.profiles].data) or "{}"
    return {"provider_name": profile.get("provider_name"), "data": msgspec.json.decode(data)}


def haproxy_nodes(balancer: Object) -> int:
    """How many its flavor requests."""
    data: Object = balancer.get(FLAVOR_DATA) or {}
    topology = data.get(TOPOLOGY, "ACTIVE_STANDBY")
    return int(data.get(NODES, TOPOLOGIES[topology]))


def haproxy_zone(balancer: Object) -> str | None:
    """In which of Neutron's zones these are; None: in any."""
    zone: str | None = (balancer.get(ZONE_DATA) or {}).get(COMPUTE_ZONE)
    return zone


def links(balancer: Object) -> list[Link]:
    """A flavor and a zone stay while a balancer has them."""
    named = ((FLAVOR, "flavor_id"), (ZONE, "availability_zone"))
    return [Link(name, offer.kind, balancer[name]) for offer, name in named if balancer[name]]


def provider(named: str | None, of_flavor: str | None) -> str:
    if named and named not in PROVIDERS:
        raise ProviderNotEnabled(prov=named)
    return named or of_flavor or PROVIDER


def capabilities(kind: Mapping[str, Capability], of: str) -> list[Object]:
    if of not in PROVIDERS:
        raise ProviderNotEnabled(prov=of)
    return [{"name": name, "description": one.told} for name, one in kind.items()]


def _check_data(profile: Profile, of: str, text: str) -> None:
    if of not in PROVIDERS:
        raise ProviderNotEnabled(prov=of)
    try:
        data = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InvalidOption(value=text, option=profile.data)
    for name, value in data.items():
        if name not in profile.capabilities:
            raise UnsupportedOption(prov=of, user_msg=f"'{name}' is not one of {sorted(profile.capabilities)}")
        if not profile.capabilities[name].check(value):
            raise UnsupportedOption(prov=of, user_msg=f"{name} cannot be {value!r}")


def _locked(tx: WriteTransaction, kind: str, title: str, id: str) -> Object:
    found = tx.lock(kind, id)
    if found is None or id == _ANY:
        raise LbNotFound(resource=title, id=id)
    return found


def _deleted(tx: WriteTransaction, kind: str, title: str, id: str) -> None:
    try:
        tx.delete(kind, id)
    except InUse:
        raise ObjectInUse(object=title, id=id) from None
