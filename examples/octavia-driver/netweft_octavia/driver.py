"""The provider driver that Octavia's API calls: each call is one request to Netweft, and one to find what it is about.

What becomes of it is told to Octavia by `agent`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from octavia_lib.api.drivers import exceptions, provider_base

from netweft_octavia import translate
from netweft_octavia.netweft import Netweft, Requests, from_environment
from netweft_octavia.translate import Body


def _told(object: Any) -> Body:
    found: Body = object.to_dict(recurse=True)
    return found


class Driver(provider_base.ProviderDriver):  # type: ignore[misc]  # untyped
    """Octavia makes it without arguments, when it starts: nobody is asked before the first call."""

    def __init__(self, requests: Requests | None = None) -> None:
        super().__init__()
        self._given = requests
        self._made: Netweft | None = None

    @property
    def _netweft(self) -> Netweft:
        if self._made is None:
            self._made = Netweft(self._given or from_environment())
        return self._made

    # -- load balancers

    def create_vip_port(
        self, loadbalancer_id: str, project_id: str, vip_dictionary: Mapping[str, Any], additional_vip_dicts: Any = None
    ) -> Any:
        """One that is nobody's yet: Netweft takes no port that has a device."""
        if additional_vip_dicts:
            words = "Netweft has additional VIPs on balancers of its own API only."
            raise exceptions.UnsupportedOptionError(user_fault_string=words, operator_fault_string=words)
        named = {"subnet_id": vip_dictionary.get("vip_subnet_id"), "ip_address": vip_dictionary.get("vip_address")}
        fixed = {name: value for name, value in named.items() if value}
        body = {"network_id": vip_dictionary["vip_network_id"], "project_id": project_id}
        port = self._netweft.make_port(
            body | {"name": f"octavia-lb-{loadbalancer_id}"} | ({"fixed_ips": [fixed]} if fixed else {})
        )
        first = port["fixed_ips"][0]
        vip = {"vip_address": first["ip_address"], "vip_subnet_id": first["subnet_id"]}
        return {**vip, "vip_network_id": port["network_id"], "vip_port_id": port["id"]}, []

    def loadbalancer_create(self, loadbalancer: Any) -> None:
        self._netweft.create("/loadbalancers", translate.balancer(_told(loadbalancer)))

    def loadbalancer_delete(self, loadbalancer: Any, cascade: bool = False) -> None:
        """With its VIP's port."""
        self._delete("loadbalancers", loadbalancer, cascade=cascade)
        if port := _told(loadbalancer).get("vip_port_id"):
            self._netweft.delete_port(port)

    def loadbalancer_failover(self, loadbalancer_id: str) -> None:
        id = self._netweft.find("/loadbalancers", loadbalancer_id)
        self._netweft.change("PUT", f"/loadbalancers/{id}/failover", None)

    def loadbalancer_update(self, old_loadbalancer: Any, new_loadbalancer: Any) -> None:
        self._update("loadbalancers", old_loadbalancer, new_loadbalancer)

    # -- listeners

    def listener_create(self, listener: Any) -> None:
        told = _told(listener)
        body = translate.created("listeners", told) | self._naming(told)
        body["loadbalancer_id"] = self._netweft.find("/loadbalancers", told["loadbalancer_id"])
        self._netweft.create("/listeners", body)

    def listener_delete(self, listener: Any) -> None:
        self._delete("listeners", listener)

    def listener_update(self, old_listener: Any, new_listener: Any) -> None:
        self._update("listeners", old_listener, new_listener)

    # -- pools and members

    def pool_create(self, pool: Any) -> None:
        told = _told(pool)
        body = translate.created("pools", told)
        body["loadbalancer_id"] = self._netweft.find("/loadbalancers", told["loadbalancer_id"])
        if told.get("listener_id"):
            body["listener_id"] = self._netweft.find("/listeners", told["listener_id"])
            del body["loadbalancer_id"]
        self._netweft.create("/pools", body)

    def pool_delete(self, pool: Any) -> None:
        self._delete("pools", pool)

    def pool_update(self, old_pool: Any, new_pool: Any) -> None:
        self._update("pools", old_pool, new_pool)

    def member_create(self, member: Any) -> None:
        told = _told(member)
        self._netweft.create(self._members_of(told["pool_id"]), translate.member(told))

    def member_delete(self, member: Any) -> None:
        told = _told(member)
        members = self._members_of(told["pool_id"])
        self._netweft.delete(members, self._netweft.find(members, told["member_id"]))

    def member_update(self, old_member: Any, new_member: Any) -> None:
        old = _told(old_member)
        members = self._members_of(old["pool_id"])
        id = self._netweft.find(members, old["member_id"])
        self._netweft.update(members, id, translate.changed(_told(new_member)))

    def member_batch_update(self, pool_id: str, members: Sequence[Any]) -> None:
        """All that the pool is to have."""
        body = {"members": [translate.member(_told(one)) for one in members]}
        self._netweft.change("PUT", self._members_of(pool_id), body)

    # -- health monitors

    def health_monitor_create(self, healthmonitor: Any) -> None:
        told = _told(healthmonitor)
        body = translate.created("healthmonitors", told)
        self._netweft.create("/healthmonitors", body | {"pool_id": self._netweft.find("/pools", told["pool_id"])})

    def health_monitor_delete(self, healthmonitor: Any) -> None:
        self._delete("healthmonitors", healthmonitor)

    def health_monitor_update(self, old_healthmonitor: Any, new_healthmonitor: Any) -> None:
        self._update("healthmonitors", old_healthmonitor, new_healthmonitor)

    # -- L7 policies and rules

    def l7policy_create(self, l7policy: Any) -> None:
        told = _told(l7policy)
        body = translate.created("l7policies", told) | self._naming(told)
        body["listener_id"] = self._netweft.find("/listeners", told["listener_id"])
        self._netweft.create("/l7policies", body)

    def l7policy_delete(self, l7policy: Any) -> None:
        self._delete("l7policies", l7policy)

    def l7policy_update(self, old_l7policy: Any, new_l7policy: Any) -> None:
        self._update("l7policies", old_l7policy, new_l7policy)

    def l7rule_create(self, l7rule: Any) -> None:
        told = _told(l7rule)
        self._netweft.create(self._rules_of(told["l7policy_id"]), translate.created("rules", told))

    def l7rule_delete(self, l7rule: Any) -> None:
        told = _told(l7rule)
        rules = self._rules_of(told["l7policy_id"])
        self._netweft.delete(rules, self._netweft.find(rules, told["l7rule_id"]))

    def l7rule_update(self, old_l7rule: Any, new_l7rule: Any) -> None:
        old = _told(old_l7rule)
        rules = self._rules_of(old["l7policy_id"])
        self._netweft.update(rules, self._netweft.find(rules, old["l7rule_id"]), translate.changed(_told(new_l7rule)))

    # -- what is the same for all

    def _update(self, kind: str, old: Any, new: Any) -> None:
        told = _told(new)
        id = self._netweft.find(f"/{kind}", _told(old)[translate.OWN[kind]])
        self._netweft.update(f"/{kind}", id, translate.changed(told) | self._naming(told))

    def _delete(self, kind: str, object: Any, *, cascade: bool = False) -> None:
        """What is not there is deleted."""
        try:
            id = self._netweft.find(f"/{kind}", _told(object)[translate.OWN[kind]])
        except exceptions.DriverError:
            return
        self._netweft.delete(f"/{kind}", id, cascade=cascade)

    def _naming(self, told: Body) -> Body:
        """The pools that it names, as Netweft does."""
        names = [name for name in ("default_pool_id", "redirect_pool_id") if name in told]
        return {name: self._netweft.find("/pools", told[name]) if told[name] else None for name in names}

    def _members_of(self, pool_id: str) -> str:
        return f"/pools/{self._netweft.find('/pools', pool_id)}/members"

    def _rules_of(self, policy_id: str) -> str:
        return f"/l7policies/{self._netweft.find('/l7policies', policy_id)}/rules"
