"""Random rules and packets in a lab: what trace says of each, and what becomes of the packet itself, there and back."""

import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.netns.explain.trace_stage import Stage, trace
from tests.netns.harness import Lab, group_of
from tests.netns.l3.test_routing import address
from tests.netns.probes import ICMP, TCP, UDP, Probe
from tests.waiting import PATIENCE

A_ROUND = 10  # packets
_NUMBERS = {"icmp": ICMP, "tcp": TCP, "udp": UDP}
_PORTS = (22, 80, 443)
_ENDS = ("one", "two", "red")  # on three nodes, the last one behind a router
_ANYTHING: list[dict[str, Any]] = [{"direction": way, "ethertype": "IPv4"} for way in ("egress", "ingress")]
_BUSY = "not found out"  # said of Open vSwitch, where a node is too busy to answer within 2 s: then the rows count
_ONLY = {"port_range_min": 80, "port_range_max": 80}
_STRANGER = "10.40.0.77"
_AT_ONCE = 3  # traces; a node answers so many questions a second
_TAIL = 26  # of a frame of IPv4: its addresses and all behind them, which a router leaves alone
_serials = count(1000)


class Sent(NamedTuple):
    """spoofed: from an address that is nobody's."""

    frm: str
    to: str
    protocol: str
    port: int
    spoofed: bool


def _rules(groups: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    remotes: list[dict[str, Any]] = [
        *({}, {}, {"remote_ip_prefix": "10.40.0.0/24"}, {"remote_ip_prefix": "10.41.0.0/16"}),
        *({"remote_ip_prefix": "192.168.0.0/16"}, *({"remote_group_id": group} for group in groups)),
    ]
    ports = st.tuples(st.sampled_from(_PORTS), st.sampled_from(_PORTS)).map(sorted)
    ranges = ports.map(lambda both: {"port_range_min": both[0], "port_range_max": both[1]})
    of_ports = st.tuples(st.sampled_from(["tcp", "udp"]), st.just({}) | ranges).map(lambda o: {"protocol": o[0]} | o[1])
    what = st.sampled_from([{}, {"protocol": "icmp"}]) | of_ports
    way = st.sampled_from(["ingress", "egress"])
    return st.tuples(way, what, st.sampled_from(remotes)).map(
        lambda one: {"direction": one[0], "ethertype": "IPv4"} | one[1] | one[2]
    )


_SENT = st.builds(
    lambda ends, *more: Sent(*ends, *more),
    st.sampled_from([(frm, to) for frm in _ENDS for to in _ENDS if frm != to]),
    st.sampled_from(list(_NUMBERS)),
    st.sampled_from(_PORTS),
    st.sampled_from([False] * 7 + [True]),
)


def tried(lab: Lab, stage: Stage, packets: int) -> Counter[str]:
    """How many passed and how many did not.  Each is what trace says, before long: rules are on their way to nodes."""
    with _place(lab, stage) as place:
        place.let([_ANYTHING, _ANYTHING])
        place.compare([Sent(frm, to, "tcp", 443, False) for frm, to in (("one", "two"), ("red", "one"))])
        place.let([_ANYTHING[:1], [{"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"} | _ONLY]])
        place.compare([Sent("one", "two", *what, False) for what in (("tcp", 80), ("tcp", 443), ("udp", 80))])
        assert place.became == {"passed": 3, "did not": 2}
        rules = st.lists(_rules(place.groups), min_size=1, max_size=5, unique_by=repr)
        more = [[], _ANYTHING[:1], _ANYTHING[:1], _ANYTHING]  # else few pass
        rules = st.tuples(st.sampled_from(more), rules).map(
            lambda o: o[0] + [rule for rule in o[1] if rule not in o[0]]
        )

        @settings(
            max_examples=max(1, packets // A_ROUND),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.tuples(rules, rules), st.lists(_SENT, min_size=A_ROUND, max_size=A_ROUND))
        def a_round(rules: Any, sent: list[Sent]) -> None:
            place.let(rules)
            place.compare(sent)

        a_round()
        return place.became


@contextmanager
def _place(lab: Lab, stage: Stage) -> Iterator["_Place"]:
    """The first VM in one group, the second in another, the third in both."""
    with ExitStack() as stack:
        cloud = stack.enter_context(lab.cloud())
        groups = [group_of(cloud, name, []) for name in ("random A", "random B")]
        for group in groups:
            stack.callback(cloud.delete, "security-groups", group)
        for name, its in zip(_ENDS, (groups[:1], groups[1:], groups), strict=True):
            (port,) = cloud.list("ports", name=name)
            stack.callback(cloud.update, "ports", port["id"], {"security_groups": port["security_groups"]})
            cloud.update("ports", port["id"], {"security_groups": its})
        interfaces = cloud.list("ports", device_id=stage.router, device_owner="network:router_interface")
        (lower,) = (port["mac_address"] for port in interfaces if port["fixed_ips"][0]["ip_address"] == "10.40.0.1")
        (upper,) = (port["mac_address"] for port in interfaces if port["fixed_ips"][0]["ip_address"] == "10.41.0.1")
        yield _Place(lab, stage, cloud, groups, {"one": lower, "two": lower, "red": upper})


class _Place:
    def __init__(self, lab: Lab, stage: Stage, cloud: Any, groups: list[str], routers: dict[str, str]) -> None:
        """routers: the MAC address of each VM's gateway."""
        self.groups, self.became = groups, Counter[str]()
        self._lab, self._vms, self._cloud, self._routers = lab, stage.vms, cloud, routers

    def let(self, rules: Sequence[Sequence[dict[str, Any]]]) -> None:
        """In each of the groups just these."""
        for group, its in zip(self.groups, rules, strict=True):
            for old in self._cloud.list("security-group-rules", security_group_id=group):
                self._cloud.delete("security-group-rules", old["id"])
            made = [{"security_group_id": group} | rule for rule in its]
            self._cloud.request("POST", "security-group-rules", {"security_group_rules": made})

    def compare(self, sent: Sequence[Sent]) -> None:
        end = time.monotonic() + PATIENCE
        while sent:
            wrong = self._wrong(sent)
            assert not wrong or time.monotonic() < end, wrong
            sent = list(wrong)

    def _wrong(self, sent: Sequence[Sent]) -> dict[Sent, str]:
        """Of which the two are not the same, and how.  While trace is asked, what was sent has time to arrive."""
        serials = [next(_serials) for _ in sent]
        frames = [self._frame(one, serial) for one, serial in zip(sent, serials, strict=True)]
        with ExitStack() as stack:
            heard = {name: stack.enter_context(self._lab.inside(self._vms[name], "capture")) for name in _ENDS}
            for name in _ENDS:
                its = [frame for one, frame in zip(sent, frames, strict=True) if one.frm == name]
                self._lab.send_frames(self._vms[name], *its)
            with ThreadPoolExecutor(_AT_ONCE) as asking:
                told = list(asking.map(self._told, sent))
            seen = {name: [bytes.fromhex(line) for line in capture.finish()] for name, capture in heard.items()}
        wrong: dict[Sent, str] = {}
        for one, serial, frame, said in zip(sent, serials, frames, told, strict=True):
            arrived = any(other[_TAIL:] == frame[_TAIL:] for other in seen[one.to])
            answered = arrived and any(_answers(other, one, serial) for other in seen[one.frm])
            if problem := _differs(one, said, arrived, answered):
                wrong[one] = problem
            else:
                self.became["passed" if arrived else "did not"] += 1
        return wrong

    def _frame(self, one: Sent, serial: int) -> bytes:
        source, target = self._vms[one.frm].nic, self._vms[one.to].nic
        if one.spoofed:
            source = replace(source, addresses=(f"{_STRANGER}/24",))
        if "red" in (one.frm, one.to):
            target = replace(target, mac=self._routers[one.frm])
        number = _NUMBERS[one.protocol]
        return Probe(number, 8 if number == ICMP else one.port).frame(source, target, 4, serial)

    def _told(self, one: Sent) -> dict[str, Any]:
        more: dict[str, Any] = {} if one.protocol == "icmp" else {"port": one.port}
        more |= {"source_address": _STRANGER} if one.spoofed else {}
        return trace(self._lab, one.frm, address(self._vms[one.to]), protocol=one.protocol, **more)


def _answers(frame: bytes, one: Sent, serial: int) -> bool:
    """Of an echo its reply, of a SYN the reset of a VM on which nobody listens."""
    if frame[12:14] != b"\x08\x00" or frame[23] != _NUMBERS[one.protocol]:
        return False
    if one.protocol == "icmp":
        return frame[34] == 0 and struct.unpack_from("!H", frame, 38) == (serial & 0xFFFF,)
    return struct.unpack_from("!HH", frame, 34) == (one.port, 20000 + serial % 40000)


def _differs(one: Sent, said: dict[str, Any], arrived: bool, answered: bool) -> str:
    there = {layer: said["layers"][layer]["forward"] for layer in ("api", "openvswitch")}
    codes = [finding["code"] for finding in said["findings"]]
    if set(there.values()) - {_BUSY} != {"passes" if arrived else "does not pass"}:
        return f"trace: {there} {codes} {said['unseen']}; the packet {'arrived' if arrived else 'did not arrive'}"
    if one.protocol != "udp" and not one.spoofed and said["passes"] not in (answered, None):
        return f"trace: {said['passes']} {codes} {said['unseen']}; {'answered' if answered else 'not answered'}"
    return ""
