"""ARP: what is a question before an address is taken, and what answers it; anything else is neither."""

from ipaddress import IPv4Address

import pytest

from netweft.dataplane.packets import arp

OURS, THEIRS = bytes.fromhex("02aa00000001"), bytes.fromhex("02bb00000002")
NOBODY, OWN, ADDRESS = IPv4Address(0), IPv4Address("203.0.113.9"), IPv4Address("203.0.113.5")


def test_a_probe_and_its_answer() -> None:
    asked = arp.probe(arp.request(OURS, NOBODY, ADDRESS))
    assert asked == arp.Said(OURS, ADDRESS)
    answer = arp.answer(THEIRS, asked)
    assert (answer[:6], answer[6:12], len(answer)) == (OURS, THEIRS, 60)
    assert arp.reply(answer) == arp.Said(THEIRS, ADDRESS)
    assert arp.probe(answer) is None


@pytest.mark.parametrize(
    "frame",
    [
        arp.request(OURS, OWN, ADDRESS),  # who asks in order to send
        arp.request(ADDRESS.packed + b"\2\2", NOBODY, ADDRESS)[:20],
        arp.request(b"\1\0\0\0\0\1", NOBODY, ADDRESS),  # a group's
        THEIRS + OURS + arp.request(THEIRS, NOBODY, ADDRESS)[12:],  # another one than its frame says
        b"",
    ],
)
def test_what_is_no_probe(frame: bytes) -> None:
    assert arp.probe(frame) is None
