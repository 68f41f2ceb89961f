"""Each rule form tried with packets, and docs/firewall.md written from what was seen.

`NETWEFT_WRITE_DOCS=1 pytest tests/netns/security/test_firewall.py` writes the table; without it the committed one is
compared.
"""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, group_of
from tests.netns.probes import UDP, Probe, address_of
from tests.netns.security.rule_forms import Form, Remote, incoming, outgoing, port_rule
from tests.waiting import PATIENCE

from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm

DOC = Path(__file__).parents[3] / "docs" / "firewall.md"
ETHERTYPES = {4: "IPv4", 6: "IPv6"}

_serials = itertools.count(1)
_canaries = itertools.count(61000)  # ports; each group lets its own pass: when it does, the group is in place


class Cast:
    """client and stranger send, from hv1; near (hv1) and far (hv2) receive."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self._tried = ""
        self.network = lab.network("10.5.5.0/24", "fd00:5::/64")
        self.open_group = self.group("open", *(rule for d in ("ingress", "egress") for rule in _anything(d)))
        self.sending = self.group("sending", *_anything("egress"))
        self.friends = self.group("friends", *_anything("egress"))
        self.client = self._vm("hv1", self.sending, self.friends)
        self.stranger = self._vm("hv1", self.sending)
        self.near = self._vm("hv1", self.open_group)
        self.far = self._vm("hv2", self.open_group)
        lab.meet(self.client, self.far)
        addresses = [f"{address_of(self.client.nic, 4)}/32", f"{address_of(self.client.nic, 6)}/128"]
        self.address_group = str(cloud.create("address_groups", name="client", addresses=addresses)["id"])

    def _vm(self, node: str, *groups: str) -> Vm:
        return self.lab.add_vm(node, self.network, security_groups=list(groups))

    def remote(self, version: int) -> Remote:
        return Remote(
            client=f"{address_of(self.client.nic, version)}/{32 if version == 4 else 128}",
            subnet="10.5.5.0/24" if version == 4 else "fd00:5::/64",
            friends=self.friends,
            receivers=self.open_group,
            addresses=self.address_group,
        )

    def group(self, name: str, *rules: dict[str, object], stateful: bool = True) -> str:
        """With exactly these rules."""
        return group_of(self.cloud, name, rules, stateful=stateful)

    def forget(self, current: str) -> None:
        """The group that was tried before: nobody has it any more, and there is a quota."""
        if self._tried:
            self.cloud.delete("security_groups", self._tried)
        self._tried = current

    def guard(self, machine: Vm, *groups: str, guarded: bool = True) -> None:
        changes = {"port_security_enabled": guarded, "security_groups": list(groups)}
        self.cloud.update("ports", machine.port_id, changes)

    def seen(self, target: Vm, probes: list[tuple[Vm, Probe]], version: int) -> list[bool]:
        """Which of them arrive, sent one after the other; the fence is what no rule is needed for."""
        sent = [(who, probe.frame(who.nic, target.nic, version, next(_serials))) for who, probe in probes]
        with self.lab.inside(target, "capture") as capture:
            arrived: list[bytes] = []
            for who in {machine.name: machine for machine, _ in sent}.values():
                fence = frames.fence(who.nic, target.nic)
                self.lab.send_frames(who, *(frame for sender, frame in sent if sender is who), fence)
                arrived += capture.frames_until(fence)
        return [frame in arrived for _, frame in sent]

    def wait_for(self, sender: Vm, target: Vm, canary: int, version: int) -> None:
        end = time.monotonic() + PATIENCE
        while not all(self.seen(target, [(sender, Probe(UDP, canary))], version)):
            assert time.monotonic() < end, f"{sender.name} to {target.name}: nothing passes"


def _anything(direction: str) -> list[dict[str, object]]:
    return [{"direction": direction, "ethertype": ethertype} for ethertype in ETHERTYPES.values()]


@pytest.fixture(scope="module")
def cast(lab: Lab) -> Iterator[Cast]:
    with Cloud(lab.layout) as cloud:
        yield Cast(lab, cloud)


class Row(NamedTuple):
    direction: str
    form: str
    version: int
    packet: str
    expected: bool
    near: bool
    far: bool

    def __str__(self) -> str:
        words = [self.direction, self.form, ETHERTYPES[self.version], self.packet]
        return f"| {' | '.join(words + [_verdict(v) for v in (self.expected, self.near, self.far)])} |"


def _verdict(passes: bool) -> str:
    return "passes" if passes else "dropped"


def try_form(cast: Cast, form: Form, version: int) -> list[Row]:
    direction = "egress" if form.egress else "ingress"
    common = {"direction": direction, "ethertype": ETHERTYPES[version]}
    canary = next(_canaries)
    rules = (port_rule("udp", canary), *form.rules)
    group = cast.group(form.name, *({**common, **rule} for rule in rules), stateful=form.stateful)
    under_test = [cast.client] if form.egress else [cast.near, cast.far]
    groups = (group,) if form.guarded else ()
    for machine in under_test:
        cast.guard(machine, *groups, guarded=form.guarded)
    cast.forget(group)
    probes = [(getattr(cast, one.by), one.probe) for one in form.tries]
    results = []
    for target in (cast.near, cast.far):
        cast.wait_for(cast.client, target, canary, version)
        if not form.egress:
            cast.wait_for(cast.stranger, target, canary, version)
        results.append(cast.seen(target, probes, version))
    rows = []
    for one, near, far in zip(form.tries, *results, strict=True):
        by = "" if one.by == "client" else " from a stranger"
        rows.append(Row(direction, form.name, version, f"{one.what}{by}", one.passes, near, far))
    return rows


HEAD = """# The firewall, tried

Written by `tests/netns/security/test_firewall.py` on real Open vSwitch: for each form of a security group's rule the
packets that were sent, what the rule says of them, and what came of them, between two VMs of one hypervisor and
across two.

| direction | rule | IP | packet | expected | same host | across hosts |
|---|---|---|---|---|---|---|
"""


@pytest.mark.timeout(900)
def test_every_form_of_a_rule(cast: Cast) -> None:
    rows: list[Row] = []
    for version in ETHERTYPES:
        for form in incoming(version, cast.remote(version)):
            rows += try_form(cast, form, version)
        for machine in (cast.near, cast.far):
            cast.guard(machine, cast.open_group)
        for form in outgoing(version, cast.remote(version)):
            rows += try_form(cast, form, version)
        cast.guard(cast.client, cast.sending, cast.friends)
    wrong = [str(row) for row in rows if not row.expected == row.near == row.far]
    assert not wrong, "\n".join(wrong)
    text = HEAD + "".join(f"{row}\n" for row in rows)
    if os.environ.get("NETWEFT_WRITE_DOCS"):
        DOC.write_text(text)
    assert DOC.read_text() == text
