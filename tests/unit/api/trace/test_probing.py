"""Who is asked to look for a probe, and what it comes to where it was seen or not."""

import pytest
from tests.unit.api.trace.faults import LARGE, LOST, Lost

from netweft.api.resources.trace.lower import causes
from netweft.api.resources.trace.nodes import Followed, Looked
from netweft.api.resources.trace.probing import Probed, finding, probe
from netweft.control.explain.examine import Finding
from netweft.control.explain.snapshot import Told
from netweft.control.trace import codes
from netweft.feed.queries import Silence
from netweft.wire.queries import Answer, Ask, Exit, Interface, Sent

PACKET = Sent(eth_src="a", eth_dst="b", src="10.0.0.1", dst="10.0.0.2", protocol=17, sport=1, dport=2)
NIC = Interface(name="eth0")
OUT = Answer(id="", exits=(Exit(kind="tunnel", interface="eth0", tunnel="192.0.2.2"),), interfaces=(NIC,))
HERE = Answer(id="", exits=(Exit(kind="port", interface="tap2"),), interfaces=(NIC,))
WIRE = Exit(kind="wire", interface="eth0", vlan=7)
FOLLOWED = Followed(
    looked=[
        Looked("hv1", Ask(id="", port_id="p", packet=PACKET), OUT),
        Looked("hv2", Ask(id="", network_id="n", packet=PACKET), HERE),
    ],
    arrived=True,
)


class Nodes:
    def __init__(self, **seen: tuple[str, ...] | str) -> None:
        self.seen, self.asked = seen, dict[str, Ask]()

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        self.asked[node] = question
        said = self.seen[node]
        return Silence(said) if isinstance(said, str) else Answer(id="", seen=said)


async def test_it_is_sent_at_the_port_and_looked_for_on_the_way() -> None:
    nodes = Nodes(hv1=("eth0",), hv2=("eth0", "tap2"))
    found = await probe(nodes, FOLLOWED, 0)
    assert found.arrived
    assert found.seen == (("hv1", "eth0"), ("hv2", "eth0"), ("hv2", "tap2"))
    assert finding(found, {"id": "p"}, 50) is None
    first, second = nodes.asked["hv1"], nodes.asked["hv2"]
    assert (first.port_id, first.packet, second.port_id, second.packet) == ("p", PACKET, "", None)
    assert first.probe is not None
    assert second.probe is not None
    assert first.probe.mark == second.probe.mark
    assert (second.probe.interfaces, second.probe.length) == (("tap2", "eth0"), 14 + 20 + 8 + 64)
    assert (first.probe.awaited, second.probe.awaited) == (("eth0",), ("tap2",))


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.what)
async def test_it_is_lost(fault: Lost) -> None:
    nodes = Nodes(hv1=fault.one, hv2=fault.two)
    out = OUT if fault.by == "tunnel" else Answer(id="", exits=(WIRE,), interfaces=(NIC,))
    found = await probe(nodes, Followed(looked=[FOLLOWED.looked[0]._replace(answer=out), FOLLOWED.looked[1]]), 0)
    assert (found.arrived, found.missed) == (False, fault.missed)
    said = finding(found, {"id": "p"}, 50)
    assert said is not None
    assert said.code.code == fault.code
    assert f"not at {fault.missed[0]} {fault.missed[1]}" in said.told.detail
    assert "{" not in said.fix


class Narrow(Nodes):
    """What is larger than that is lost between them."""

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        assert question.probe is not None
        large = question.probe.length > 1000
        return Answer(id="", seen=("eth0",) if node == "hv1" else () if large else ("eth0", "tap2"))


async def test_one_of_full_size_is_lost() -> None:
    found = await probe(Narrow(), FOLLOWED, 1450)
    assert found.arrived
    assert found.large is not None
    assert (found.large.arrived, found.large.length) == (False, 1464)
    said = finding(found, {"id": "p"}, 50)
    assert said is not None
    assert (said.code.code, found.large.missed) == (LARGE.code, LARGE.missed)
    assert "-s 1472 192.0.2.2  # on hv1" in said.fix and "1500 bytes" in said.fix
    found = await probe(Nodes(hv1=("eth0",), hv2=("eth0", "tap2")), FOLLOWED, 1450)
    assert finding(found, {"id": "p"}, 50) is None


async def test_a_node_that_does_not_look_says_nothing_about_it() -> None:
    found = await probe(Nodes(hv1=("eth0",), hv2="its agent does not answer"), FOLLOWED, 0)
    assert (found.arrived, found.why) == (None, "hv2: its agent does not answer")
    assert finding(found, {"id": "p"}, 50) is None


@pytest.mark.parametrize(
    ("large", "said"),
    [((), []), (("eth0",), ["probe-of-full-size-lost"])],
    ids=["in the sender's node", "between the nodes"],
)
def test_what_a_limit_drops_is_not_lost_by_a_hop_between(large: tuple[str, ...], said: list[str]) -> None:
    seen = tuple(("hv1", name) for name in large)
    lost = Probed(arrived=False, seen=seen, missed=("hv2", "tap2") if large else ("hv1", "eth0"), length=1464)
    found = Probed(arrived=True, large=lost)
    limit = Finding("ports", {"id": "p"}, Told(codes.LIMIT_DROPS))
    told = causes(found, finding(found, {"id": "p"}, 50), [("vm", limit)])
    assert [one.code.code for _, one in told] == [*said, "limit-drops"]
