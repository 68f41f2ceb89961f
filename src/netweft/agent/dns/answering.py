"""A VM's DNS query to its answer, from the names of its network's ports (RFC 1035, RFC 6891).

Queries for other names are forwarded.  An answer's TTL is a few seconds: addresses move.
"""

from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from netweft.agent.dns.names import Names

TTL: Final = 10  # seconds
UDP_MOST: Final = 1232  # bytes, whatever the client has room for: no fragments
UDP_LEAST: Final = 512
_HEADER, _TYPE_AND_CLASS, _OPT_LENGTH = 12, 4, 11  # bytes
_OPT: Final = b"\0" + dns.rdatatype.OPT.to_bytes(2, "big")  # of the root
_REVERSE: Final = (".in-addr.arpa.", ".ip6.arpa.")
_TYPES: Final = {4: dns.rdatatype.A, 6: dns.rdatatype.AAAA}


class NoQuery(Exception):
    """Nothing that anybody answers."""


def parsed(wire: bytes) -> dns.message.Message:
    """Its question, and how large an answer may be.  Raises NoQuery.

    No more is read: 4 KiB of names that point to each other take this process most of a second."""
    if int.from_bytes(wire[4:6], "big") > 1:
        raise NoQuery("it asks more than one question")
    try:
        query = dns.message.from_wire(wire, question_only=True, ignore_trailing=True)
    except dns.exception.DNSException as error:
        raise NoQuery(str(error)) from None
    if query.flags & dns.flags.QR:
        raise NoQuery("it is an answer itself")
    for question in query.question:
        name = question.name.to_wire() or b""
        if wire[_HEADER : _HEADER + len(name)] != name:
            raise NoQuery("its name is not where it should be")
        _read_opt(query, wire[_HEADER + len(name) + _TYPE_AND_CLASS :])
    return query


def _read_opt(query: dns.message.Message, rest: bytes) -> None:
    """Where it comes first, as it does (RFC 6891 6.1.2): the payload, and whether DNSSEC is understood."""
    if rest[:3] == _OPT and len(rest) >= _OPT_LENGTH and rest[6] == 0:
        payload, flags = (int.from_bytes(rest[at : at + 2], "big") for at in (3, 7))
        query.use_edns(0, flags, payload)


def own(names: Names, network_id: str, domain: str, query: dns.message.Message, *, alone: bool) -> bytes | None:
    """The answer, uncut.  None: somebody else may know.  domain: the network's, rooted; alone: there is nobody else."""
    answer = dns.message.make_response(query, recursion_available=not alone)
    if query.opcode() != dns.opcode.QUERY:
        answer.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        answer.set_rcode(dns.rcode.FORMERR)
    elif not _answered(names, network_id, query.question[0], answer):
        asked = query.question[0].name.to_text().lower()
        ours = asked.count(".") == 1 or any(f".{asked}".endswith(f".{one}") for one in (domain, names.domain) if one)
        if not alone and asked.count(".") > 1:
            return None
        answer.set_rcode(dns.rcode.NXDOMAIN if ours else dns.rcode.REFUSED)
    return answer.to_wire()


def _answered(names: Names, network_id: str, question: dns.rrset.RRset, answer: dns.message.Message) -> bool:
    if question.rdclass != dns.rdataclass.IN:
        return False
    asked = question.name.to_text().lower()
    if asked.endswith(_REVERSE):
        name = names.name(network_id, asked)
        found = [(dns.rdatatype.PTR, name)] if name else []
    else:
        found = [(_TYPES[ip_address(one).version], one) for one in names.addresses(network_id, asked)]
    for kind in dict.fromkeys(kind for kind, _ in found):
        if question.rdtype in (kind, dns.rdatatype.ANY):
            texts = [text for its, text in found if its == kind]
            answer.answer.append(dns.rrset.from_text_list(question.name, TTL, dns.rdataclass.IN, kind, texts))
    if found:
        answer.flags |= dns.flags.AA
    return bool(found)


def failed(query: dns.message.Message) -> bytes:
    """Nobody who may know has answered."""
    answer = dns.message.make_response(query, recursion_available=True)
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer.to_wire()


def fitted(query: dns.message.Message, wire: bytes) -> bytes:
    """For UDP: what does not fit is truncated, and queried again over TCP."""
    room = min(max(query.payload, UDP_LEAST), UDP_MOST)
    if len(wire) <= room:
        return wire
    cut = dns.message.make_response(query, recursion_available=True)
    cut.flags |= dns.flags.TC
    return cut.to_wire()
