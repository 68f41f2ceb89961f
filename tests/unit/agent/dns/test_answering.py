"""What a VM hears: its network's names at once, of others that they are none, or that somebody else knows."""

from typing import Final

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agent.dns.test_names import RED, named, of

from netweft.agent.dns.answering import UDP_LEAST, NoQuery, failed, fitted, own, parsed

NAMES = of(named("1", "web", "10.0.0.5", "10.0.0.6", "2001:db8::5"), named("2", "", "10.0.0.7"))
BIG = of(named("1", "web", *(f"10.0.{number}.5" for number in range(200))))


def ask(name: str, kind: str = "A", *, alone: bool = True, domain: str = "") -> dns.message.Message | None:
    said = own(NAMES, RED, domain, parsed(dns.message.make_query(name, kind).to_wire()), alone=alone)
    return None if said is None else dns.message.from_wire(said)


def texts(message: dns.message.Message | None) -> list[str]:
    assert message is not None
    return [str(one) for records in message.answer for one in records]


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("web.cloud.test.", "A", ["10.0.0.5", "10.0.0.6"]),
        ("WEB.Cloud.test.", "AAAA", ["2001:db8::5"]),
        ("web.", "ANY", ["10.0.0.5", "10.0.0.6", "2001:db8::5"]),
        ("web.cloud.test.", "MX", []),
        ("host-10-0-0-7.cloud.test.", "AAAA", []),
        ("5.0.0.10.in-addr.arpa.", "PTR", ["web.cloud.test."]),
        ("5.0.0.10.in-addr.arpa.", "A", []),
    ],
)
def test_a_port_of_the_network(name: str, kind: str, told: list[str]) -> None:
    for alone in (True, False):
        answer = ask(name, kind, alone=alone)
        assert sorted(texts(answer)) == told
        assert answer is not None
        assert answer.rcode() == dns.rcode.NOERROR
        assert answer.flags & dns.flags.AA
        assert bool(answer.flags & dns.flags.RA) != alone


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("db.cloud.test.", dns.rcode.NXDOMAIN),
        ("cloud.test.", dns.rcode.NXDOMAIN),
        ("db.corp.test.", dns.rcode.NXDOMAIN),
        ("db.", dns.rcode.NXDOMAIN),
        ("mycloud.test.", dns.rcode.REFUSED),
        ("9.0.0.10.in-addr.arpa.", dns.rcode.REFUSED),
    ],
)
def test_no_port_without_other_name_servers(name: str, code: int) -> None:
    answer = ask(name, domain="corp.test.")
    assert answer is not None
    assert answer.rcode() == code
    assert not answer.flags & dns.flags.AA


def test_others_may_know_all_but_names_of_one_label() -> None:
    assert ask("db.cloud.test.", alone=False) is None
    assert ask("example.org.", alone=False) is None
    one = ask("db.", alone=False)
    assert one is not None
    assert one.rcode() == dns.rcode.NXDOMAIN


def test_what_is_no_question() -> None:
    status = dns.message.make_query("web.", "A")
    status.set_opcode(dns.opcode.STATUS)
    assert ask_wire(status.to_wire()).rcode() == dns.rcode.NOTIMP
    none = dns.message.make_query("web.", "A")
    none.question.clear()
    assert ask_wire(none.to_wire()).rcode() == dns.rcode.FORMERR
    answer = dns.message.make_response(dns.message.make_query("web.", "A"))
    for wire in (answer.to_wire(), b"", b"\0" * 11, b"\xff" * 40):
        with pytest.raises(NoQuery):
            parsed(wire)


LONG: Final = b"\1a" * 127 + b"\0"  # a name; what points to it is short, and as long to read
POINTS: Final = b"\xc0\x0c"


@pytest.mark.parametrize("counts", [(1, 200, 0, 0), (1, 0, 200, 0), (1, 0, 0, 200), (1, 65535, 65535, 65535)])
def test_no_more_than_the_question_is_read(counts: tuple[int, ...]) -> None:
    """CNAMEs to the name before, in 4 KiB, took 0.7 s."""
    head = b"\0\1\1\0" + b"".join(count.to_bytes(2, "big") for count in counts)
    record = POINTS + b"\0\5\0\1" + bytes(5) + b"\2" + POINTS
    query = parsed(head + LONG + b"\0\1\0\1" + record * 200)
    assert query.answer == query.authority == query.additional == []
    assert str(query.question[0].name) == "a." * 127


def test_many_questions_are_none() -> None:
    head = b"\0\1\1\0" + (300).to_bytes(2, "big") + bytes(6)
    with pytest.raises(NoQuery, match="more than one"):
        parsed(head + LONG + b"\0\1\0\1" + (POINTS + b"\0\1\0\1") * 299)


@pytest.mark.parametrize(("payload", "flags"), [(512, 0), (1232, 0x8000), (65535, 0)])
def test_how_large_an_answer_may_be(payload: int, flags: int) -> None:
    asked = dns.message.make_query("web.", "A", use_edns=0, payload=payload, ednsflags=flags)
    query = parsed(asked.to_wire())
    assert (query.payload, query.ednsflags) == (payload, flags)
    assert dns.message.from_wire(query.to_wire()) == asked, "as which it is passed on"
    assert parsed(dns.message.make_query("web.", "A").to_wire()).edns == -1


@pytest.mark.parametrize("pointer", [POINTS, b"\xc0\xff", b"\1a\xc0\x0c", b"\xff" * 60, b"\x40" + bytes(64)])
def test_names_that_make_no_sense(pointer: bytes) -> None:
    with pytest.raises(NoQuery):
        parsed(b"\0\1\1\0\0\1" + bytes(6) + pointer + b"\0\1\0\1")


@pytest.mark.parametrize("kind", ["AXFR", "ANY", "NS", "SOA", "TXT"])
def test_no_one_gets_all_of_a_networks_names(kind: str) -> None:
    said = ask("cloud.test.", kind)
    assert said is not None
    assert said.rcode() == dns.rcode.NXDOMAIN
    assert said.answer == said.authority == said.additional == []


def ask_wire(wire: bytes) -> dns.message.Message:
    said = own(NAMES, RED, "", parsed(wire), alone=True)
    assert said is not None
    return dns.message.from_wire(said)


REAL = dns.message.make_query("web.cloud.test.", "A", use_edns=0, id=1).to_wire()


@given(
    st.binary(max_size=200)
    | st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), max_size=4).map(
        lambda changes: bytes(dict(changes).get(at, byte) for at, byte in enumerate(REAL))
    )
)
def test_whatever_comes_there_is_an_answer_or_none(wire: bytes) -> None:
    try:
        query = parsed(wire)
    except NoQuery:
        return
    fitted(query, own(NAMES, RED, "", query, alone=False) or failed(query))


def test_what_is_too_big_is_queried_again_by_tcp() -> None:
    for query in (dns.message.make_query("web.", "A"), dns.message.make_query("web.", "A", use_edns=0, payload=4096)):
        said = own(BIG, RED, "", parsed(query.to_wire()), alone=True)
        assert said is not None
        assert len(texts(dns.message.from_wire(said))) == 200
        short = dns.message.from_wire(fitted(query, said))
        assert short.flags & dns.flags.TC
        assert len(fitted(query, said)) <= UDP_LEAST
