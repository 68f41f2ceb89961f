"""What frames of VMs say; and that no frame, whole or cut, is too much."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.host.listening import ACCEPT, DROP, Comparison, answers, sent_to
from netweft.dataplane.openflow.fields import PROTO_TCP
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.overheard import Overheard, overheard
from netweft.dataplane.packets.probe import probe

VM, ROUTER = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e010001")
OWN, FAR, NOBODY = IPv4Address("10.0.0.5"), IPv4Address("10.9.0.7"), IPv4Address("0.0.0.0")
SIX, FAR6 = IPv6Address("fd00::5"), IPv6Address("fd09::7")
SENT = probe((VM, ROUTER), (OWN, FAR), PROTO_TCP, (443, 49152), bytes(64))
SENT6 = probe((VM, ROUTER), (SIX, FAR6), PROTO_TCP, (443, 49152), bytes(64))


def test_what_is_said() -> None:
    assert overheard(arp.request(VM, OWN, FAR)) == Overheard("asks", FAR, VM)
    assert overheard(arp.answer(VM, arp.Said(ROUTER, OWN))) == Overheard("has", OWN, VM)
    assert overheard(icmp.question(VM, SIX, FAR6)) == Overheard("asks", FAR6, VM)
    assert overheard(SENT) == Overheard("sends", OWN, VM, ROUTER)
    assert overheard(SENT6) == Overheard("sends", SIX, VM, ROUTER)


def test_what_is_no_question_for_a_next_hop() -> None:
    assert overheard(arp.request(VM, NOBODY, OWN)) is None, "it looks whether somebody has it"
    assert overheard(arp.request(VM, OWN, OWN)) is None, "it announces it"
    assert overheard(icmp.question(VM, IPv6Address("::"), SIX)) != Overheard("asks", SIX, VM)


def test_a_checksum_that_is_not_whole() -> None:
    for sent, at in ((SENT, 50), (SENT6, 70)):
        half = sent[:at] + b"\x12\x34" + sent[at + 2 :]
        said = overheard(half)
        assert said is not None and said.partial
        said = overheard(half[:-1])
        assert said is not None and not said.partial, "cut short: it cannot be told"
        said = overheard(half + bytes(4))
        assert said is not None and said.partial, "padded by a NIC"


@given(st.sampled_from([SENT, SENT6, arp.request(VM, OWN, FAR), icmp.question(VM, SIX, FAR6)]), st.data())
def test_any_frame(frame: bytes, data: st.DataObject) -> None:
    cut = bytearray(frame[: data.draw(st.integers(0, len(frame)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(cut) - 1)), max_size=4)) if cut else ():
        cut[at] = data.draw(st.integers(0, 255))
    overheard(bytes(cut))


def lets(frame: bytes, other: IPv4Address | IPv6Address, *, outgoing: bool = False) -> bool:
    return takes(sent_to(other), frame, outgoing=outgoing)


def takes(program: list[Comparison], frame: bytes, *, outgoing: bool = False) -> bool:
    """The filter, as the kernel goes through it."""
    places = {one.label: number for number, one in enumerate(program) if one.label}
    sizes, number = {0x20: 4, 0x28: 2, 0x30: 1}, 0
    while True:
        one = program[number]
        if one.at > 0xFFFF:
            value = 4 if outgoing else 0
        elif one.at + sizes[one.load] > len(frame):
            return False
        else:
            value = int.from_bytes(frame[one.at : one.at + sizes[one.load]], "big")
        to = one.then if value == one.value else one.otherwise
        if to in (ACCEPT, DROP):
            return to == ACCEPT
        number = places[to] if to else number + 1


def test_who_answers_for_an_address() -> None:
    said = arp.answer(ROUTER, arp.Said(VM, OWN))
    assert takes(answers(VM, OWN), said)
    assert not takes(answers(VM, OWN), said, outgoing=True)
    for other in (arp.answer(ROUTER, arp.Said(ROUTER, OWN)), arp.answer(ROUTER, arp.Said(VM, FAR)), SENT,
                  arp.request(ROUTER, OWN, FAR, to=VM), said[:30]):  # fmt: skip
        assert not takes(answers(VM, OWN), other)


def test_the_kernel_hands_over_these_only() -> None:
    for frame in (arp.request(VM, OWN, FAR), arp.answer(VM, arp.Said(ROUTER, OWN)), SENT):
        assert lets(frame, FAR)
        assert not lets(frame, FAR, outgoing=True)
    assert not lets(SENT, OWN)
    assert lets(SENT6, FAR6) and not lets(SENT6, SIX) and not lets(SENT, FAR6)
    assert lets(icmp.question(VM, SIX, IPv6Address("fd00::99")), FAR6)
    assert not lets(icmp.announcement(VM, SIX), FAR6)
