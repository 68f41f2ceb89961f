"""Flavors, the service profiles that each has, and who provides a service: here all of it is Netweft itself.

A router that names a flavor is made by the provider of the flavor's first profile; there is one provider, so that says
whether it can be made, and nothing of how (decision 0472).
"""

from collections.abc import Sequence

from netweft.control.errors import BadRequest, Conflict, Exhausted, InvalidInput, NotFound
from netweft.control.standard import Plain, born, bumped
from netweft.store import Link, New, Object, ReadTransaction, WriteTransaction

KIND, PROFILES = "flavors", "service_profiles"
FLAVOR = "flavor_id"  # of routers
ROUTERS = "L3_ROUTER_NAT"  # Neutron's name for the service
SERVICES = (ROUTERS, "CORE", "FLAVORS", "QOS")  # of those there may be flavors; only routers are made of any
PROVIDER = "netweft"
DRIVER = "netweft"
PROVIDERS: Sequence[Object] = ({"service_type": ROUTERS, "name": PROVIDER, "default": True},)


class FlavorNotFound(NotFound):
    message = "Flavor %(id)s could not be found."


class FlavorInUse(Conflict):
    message = "Flavor %(flavor_id)s is used by some service instance."


class FlavorDisabled(Exhausted):
    message = "Flavor is not enabled."


class ServiceProfileNotFound(NotFound):
    message = "Service Profile %(id)s could not be found."


class ServiceProfileInUse(Conflict):
    message = "Service Profile %(sp_id)s is used by some service instance."


class ServiceProfileEmpty(BadRequest):
    message = "Empty Service Profile."


class ServiceProfileDisabled(Exhausted):
    message = "Service Profile is not enabled."


class ServiceProfileDriverNotFound(NotFound):
    message = "Service Profile driver %(driver)s could not be found."


class FlavorServiceProfileBindingExists(Conflict):
    message = "Service Profile %(sp_id)s is already associated with flavor %(fl_id)s."


class FlavorServiceProfileBindingNotFound(NotFound):
    message = "Service Profile %(sp_id)s is not associated with flavor %(fl_id)s."


class Flavors(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _refuse_missing(tx, one[PROFILES])
        flavors = [born(one) for one in wanted]
        tx.insert_many(KIND, [New(one, _links(one[PROFILES])) for one in flavors])
        return flavors

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        profiles: Sequence[str] = (current | changes)[PROFILES]
        _refuse_missing(tx, profiles)
        return tx.update(KIND, current["id"], bumped(current, changes), {PROFILES: _links(profiles)})

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        if tx.referrers(KIND, current["id"]):
            raise FlavorInUse(flavor_id=current["id"])
        super().delete(tx, current)

    def add_profile(self, tx: WriteTransaction, flavor: Object, profile_id: str) -> Object:
        if profile_id in flavor[PROFILES]:
            raise FlavorServiceProfileBindingExists(sp_id=profile_id, fl_id=flavor["id"])
        return self.update(tx, flavor, {PROFILES: [*flavor[PROFILES], profile_id]})

    def remove_profile(self, tx: WriteTransaction, flavor: Object, profile_id: str) -> Object:
        if profile_id not in flavor[PROFILES]:
            raise FlavorServiceProfileBindingNotFound(sp_id=profile_id, fl_id=flavor["id"])
        return self.update(tx, flavor, {PROFILES: [id for id in flavor[PROFILES] if id != profile_id]})


class ServiceProfiles(Plain):
    """As long as a flavor has one it stays as it is."""

    def __init__(self) -> None:
        super().__init__(PROFILES)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _refuse_driver(one["driver"])
            if not one["driver"] and not one["metainfo"]:
                raise ServiceProfileEmpty()
        return super().create(tx, wanted)

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        _refuse_driver(changes.get("driver", ""))
        _refuse_used(tx, current)
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        _refuse_used(tx, current)
        super().delete(tx, current)


def next_provider(tx: ReadTransaction, flavor: Object) -> Object:
    """Of the flavor's first profile."""
    if not flavor[PROFILES]:
        raise FlavorServiceProfileBindingNotFound(sp_id="", fl_id=flavor["id"])
    profile = tx.get(PROFILES, flavor[PROFILES][0])
    if profile is None:
        raise ServiceProfileNotFound(id=flavor[PROFILES][0])
    if not profile["enabled"]:
        raise ServiceProfileDisabled()
    if profile["driver"] != DRIVER:
        raise ServiceProfileDriverNotFound(driver=profile["driver"])
    return {"driver": profile["driver"], "provider": PROVIDER, "metainfo": profile["metainfo"]}


def check(tx: WriteTransaction, id: str) -> Link:
    """Whether a router can be made of this flavor; the link that it needs then."""
    flavor = tx.get(KIND, id)
    if flavor is None:
        raise FlavorNotFound(id=id)
    if not flavor["enabled"]:
        raise FlavorDisabled()
    if flavor["service_type"] != ROUTERS:
        raise InvalidInput(f"Flavor {id} is for {flavor['service_type']}, not for routers ({ROUTERS})")
    next_provider(tx, flavor)
    return Link(FLAVOR, KIND, id)


def _refuse_driver(driver: str) -> None:
    if driver and driver != DRIVER:
        raise ServiceProfileDriverNotFound(driver=driver)


def _refuse_missing(tx: WriteTransaction, profiles: Sequence[str]) -> None:
    found = tx.get_many(PROFILES, profiles)
    for id in profiles:
        if id not in found:
            raise ServiceProfileNotFound(id=id)


def _refuse_used(tx: ReadTransaction, profile: Object) -> None:
    if tx.referrers(PROFILES, profile["id"]):
        raise ServiceProfileInUse(sp_id=profile["id"])


def _links(profiles: Sequence[str]) -> list[Link]:
    return [Link(PROFILES, PROFILES, id) for id in profiles]
