"""Firewalls (FWaaS) added, changed and taken away, on a router's port and on a VM's: at no step does a packet pass that
neither the firewalls before nor those after let pass, nor is one lost that both do.  So too for an agent that is killed
there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story

from netweft.model import (
    AddressGroup,
    FirewallGroup,
    FirewallPolicy,
    FirewallRule,
    Node,
    Object,
    Peer,
    Port,
    key_of,
)
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.region import ANYTHING, interface, network, port, router, subnet

pytestmark = pytest.mark.slow

A, B = network(1), network(2)
R = router(1)
RA, RB = interface(1, R, A, "10.0.0.254"), interface(2, R, B, "10.0.1.254")
ONE, OTHER, OPEN = port(1, A, "10.0.0.1"), port(2, A, "10.0.0.2"), port(3, B, "10.0.1.1")
LOOSE = replace(OPEN, port_security_enabled=False, security_groups=())
FAR = port(4, B, "10.0.1.2")
LISTED = AddressGroup(id="listed", addresses=("10.0.0.1/32",))


def rule(id: str, action: str = "allow", port: int = 0, **more: object) -> FirewallRule:
    """port: of UDP; 0: any."""
    ports = {"destination_port_range_min": port, "destination_port_range_max": port, "protocol": 17} if port else {}
    return replace(FirewallRule(id=id), action=action, **ports, **more)


def policy(*rules: FirewallRule, first: int = 100, gap: int = 10, id: str = "in") -> FirewallPolicy:
    places = range(first, first + gap * len(rules), gap)
    return FirewallPolicy(id=id, firewall_rules=tuple(one.id for one in rules), places=tuple(places))


DNS, WEB, ALL = rule("dns", port=53), rule("web", port=80), rule("all")
NO_DNS, NO_ONE = rule("no dns", "deny", 53), rule("no one", "deny", source_ip_address="10.0.0.1")
NOBODY_LISTED = rule("nobody listed", "deny", source_address_group_id=LISTED.id)
EVERYTHING = policy(ALL, id="out")
GROUP = FirewallGroup(id="g", ingress_firewall_policy_id="in", egress_firewall_policy_id="out")
RULES = (DNS, WEB, ALL, NO_DNS, NO_ONE, NOBODY_LISTED)
ROUTERS, VMS = "router", "VM"


def peer(of: Port) -> Peer:
    addresses = tuple(fixed.ip_address for fixed in of.fixed_ips)
    return Peer(id=of.id, network_id=of.network_id, mac_address=of.mac_address, ip_addresses=addresses, host_id="hv11")


BASE: tuple[Object, ...] = (
    *(A, B, R, RA, subnet(A, "10.0.0.0/24"), subnet(B, "10.0.1.0/24"), ANYTHING, ONE, OTHER, peer(FAR), LISTED),
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)


def state(*objects: Object, on: str = ROUTERS, port: Port = OPEN) -> Situation:
    """The group on RB, on the VM's port there, on both; objects: instead of, or beside, what is there."""
    guarded = {name: GROUP.id if name in on else None for name in (ROUTERS, VMS)}
    router_port, vm = replace(RB, firewall_group_id=guarded[ROUTERS]), replace(port, firewall_group_id=guarded[VMS])
    firewalls = (*RULES, EVERYTHING, GROUP) if on else ()
    all = {key_of(one): one for one in (*BASE, router_port, vm, *firewalls, *objects)}
    return Situation(list(all.values()), [one.id for one in (ONE, OTHER, vm)])


def between(before: Sequence[FirewallRule], after: Sequence[FirewallRule]) -> tuple[Situation, Situation]:
    return state(policy(*before)), state(policy(*after))


CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a firewall on a router's port": (state(on=""), state(policy(WEB))),
    "a firewall on a VM's port": (state(on=""), state(policy(WEB), on=VMS)),
    "a firewall on a port without security": (state(on="", port=LOOSE), state(policy(WEB), on=VMS, port=LOOSE)),
    "from the router's port to the VM's": (state(policy(WEB)), state(policy(WEB), on=VMS)),
    "a rule in place of another": between([DNS], [WEB]),
    "a rule before another": between([ALL], [NO_DNS, ALL]),
    "two rules change places": between([NO_DNS, ALL], [ALL, NO_DNS]),
    "all rules have other places": (state(policy(NO_DNS, NO_ONE, ALL)), state(policy(NO_DNS, NO_ONE, ALL, first=101))),
    "other places, and a rule less": (state(policy(NO_DNS, NO_ONE, ALL)), state(policy(NO_ONE, ALL, first=110))),
    "a rule says something else": (
        state(policy(NO_DNS, ALL), on=VMS),
        state(policy(NO_DNS, ALL), replace(NO_DNS, action="reject", source_ip_address="10.0.0.2"), on=VMS),
    ),
    "a rule is switched off": (state(policy(NO_ONE, ALL)), state(policy(NO_ONE, ALL), replace(NO_ONE, enabled=False))),
    "a rule names an address group": (state(policy(ALL)), state(policy(NOBODY_LISTED, ALL))),
    "an address group's addresses": (
        state(policy(NOBODY_LISTED, ALL)),
        state(policy(NOBODY_LISTED, ALL), replace(LISTED, addresses=("10.0.0.2/32",))),
    ),
    "another policy": (
        state(policy(DNS)),
        state(policy(WEB, id="other"), replace(GROUP, ingress_firewall_policy_id="other")),
    ),
    "a group that is down": (state(policy(ALL)), state(policy(ALL), replace(GROUP, admin_state_up=False))),
    "the egress policy": (state(policy(ALL), policy(WEB, id="out")), state(policy(ALL), policy(DNS, id="out"))),
}


def probes() -> Iterator[Probe]:
    for frm, to, by in ((ONE, OPEN, RA), (OTHER, OPEN, RA), (OPEN, ONE, RB), (ONE, FAR, RA)):
        ip, its = (one.fixed_ips[0].ip_address for one in (frm, to))
        back_by = RB if by is RA else RA
        for at in (53, 80):
            asks = f"{ip} to {its} port {at}"
            said = packets.udp(frm.mac_address, by.mac_address, ip, its, 1000, at)
            yield Probe(asks, INT.role, frm.id, {**said, "ip_ttl": 64})
            if to is not FAR:
                said = packets.udp(to.mac_address, back_by.mac_address, its, ip, at, 1000)
                yield Probe(f"answer to {asks}", INT.role, to.id, {**said, "ip_ttl": 64}, asks)
    yield Probe(
        "within", INT.role, ONE.id, packets.udp(ONE.mac_address, OTHER.mac_address, "10.0.0.1", "10.0.0.2", 1, 2)
    )


PROBES = list(probes())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("back", [False, True])
async def test_nothing_passes_that_should_not(change: str, tmp_path: Path, *, back: bool) -> None:
    """The way back in another order of what is done at once, and by an agent that finds what there was on its disk."""
    before, after = CHANGES[change]
    story = Story((after, before) if back else (before, after), PROBES, tmp_path, "1:9")
    await story.tell(max if back else min, on_disk=back)
