"""Conntrack's helper for FTP, where the source is translated: what is said in the control connection, and
who may call back."""

from typing import Final

from tests.ground.packets import ONE, TWO, Ends, ends_of
from tests.ground.probe import Probe, Seen
from tests.ground.stage import IN, OUT, Stage

from netweft.dataplane.packets.datagram import checksum, packet, upper_checksum

ZONE: Final = 7
VM, NAT, SERVER = "10.0.0.10", "203.0.113.5", "198.51.100.7"
SYN, SYN_ACK, ACK, PUSH_ACK = 0x02, 0x12, 0x10, 0x18
COMMAND, TRANSLATED = b"PORT 10,0,0,10,200,10\r\n", b"PORT 203,0,113,5,200,10\r\n"
READS: Final = "move:OXM_OF_TCP_DST[]->NXM_NX_REG0[0..15],"
LONGER: Final = len(TRANSLATED) - len(COMMAND)
LOGIN: Final = b"USER me\r\n"  # Linux's helper reads a line only where it has seen the one before it end
START: Final = 1001 + len(LOGIN)


def _segment(ends: Ends, flags: int, sequence: int, of: int, payload: bytes = b"") -> bytes:
    fields = (ends.sport << 16 | ends.dport).to_bytes(4, "big") + sequence.to_bytes(4, "big") + of.to_bytes(4, "big")
    rest = bytes((5 << 4, flags, 0x20, 0, 0, 0, 0, 0)) + payload
    total = upper_checksum(*ends.addresses, 6, fields + rest)
    return packet((ONE, TWO), ends.addresses, 6, fields + rest[:4] + total.to_bytes(2, "big") + rest[6:])


def _flows(port: int, reads: str = "") -> tuple[str, ...]:
    return (
        f"priority=20,in_port={IN},tcp,tcp_dst={port},actions=ct(commit,zone={ZONE},nat(src={NAT}),alg=ftp,table=1)",
        f"priority=10,in_port={IN},ip,actions=ct(commit,zone={ZONE},nat(src={NAT}),table=1)",
        f"priority=20,in_port={OUT},tcp,tcp_src={port},actions={reads}ct(zone={ZONE},nat,alg=ftp,table=2)",
        f"priority=10,in_port={OUT},ip,actions=ct(zone={ZONE},nat,table=2)",
        f"table=1,in_port={IN},actions=output:{OUT}",
        f"table=2,priority=20,ct_state=+new+rel+trk,ip,actions=ct(commit,zone={ZONE},nat,table=3)",
        "table=2,priority=15,ct_state=+new+trk,ip,actions=drop",
        f"table=2,priority=10,actions=output:{IN}",
        f"table=3,actions=output:{IN}",
    )


def _right(frame: bytes) -> bool:
    """Or left to the NIC, as Linux does with what its helper has changed: the sum of the pseudo header stands there."""
    whole = frame[14 : 14 + int.from_bytes(frame[16:18], "big")]
    ends, upper = ends_of(whole).addresses, whole[20:]
    pseudo = ends[0].packed + ends[1].packed + bytes((0, 6)) + len(upper).to_bytes(2, "big")
    left = 0xFFFF - checksum(pseudo)
    return upper_checksum(*ends, 6, upper) in (0, 0xFFFF) or int.from_bytes(upper[16:18], "big") == left


async def _asks(stage: Stage, port: int, sport: int, command: bytes) -> bytes:
    """What of the command goes out."""
    ends = Ends(VM, sport, SERVER, port)
    back = Ends(SERVER, port, NAT, sport)
    shake = ((IN, _segment(ends, SYN, 1000, 0)), (OUT, _segment(back, SYN_ACK, 5000, 1001)))
    await stage.hear(*shake, (IN, _segment(ends, ACK, 1001, 5001)))
    await stage.hear((IN, _segment(ends, PUSH_ACK, 1001, 5001, LOGIN)))
    out = (await stage.hear((IN, _segment(ends, PUSH_ACK, START, 5001, command)))).out[OUT]
    return out[0][54 : 14 + int.from_bytes(out[0][16:18], "big")] if out and _right(out[0]) else b""


async def _called(stage: Stage, port: int) -> str:
    """To whom, and whether what it answers comes back; empty where nobody is reached."""
    there = (await stage.hear((OUT, _segment(Ends(SERVER, 20, NAT, port), SYN, 9000, 0)))).out[IN]
    if not there or not _right(there[0]):
        return ""
    called = ends_of(there[0][14:])
    answer = (await stage.hear((IN, _segment(called.back, SYN_ACK, 7000, 9001)))).out[OUT]
    passes = bool(answer) and ends_of(answer[0][14:]) == Ends(NAT, port, SERVER, 20)
    return f"{called.dst}:{called.dport}" if passes else ""


async def _control(stage: Stage, port: int, sport: int) -> list[str]:
    """What is wrong with a control connection.  Each has a port of its own called: Linux gives no two the same."""
    faults, last = [], b"%d\r\n" % (10 + sport % 10)
    if await _asks(stage, port, sport, COMMAND[:-4] + last) != TRANSLATED[:-4] + last:
        faults.append("the command is not translated")
    ends, back = Ends(VM, sport, SERVER, port), Ends(SERVER, port, NAT, sport)
    after = START + len(COMMAND)
    answer = (await stage.hear((OUT, _segment(back, PUSH_ACK, 5001, after + LONGER, b"200 so\r\n")))).out[IN]
    if not answer or int.from_bytes(answer[0][42:46], "big") != after or not _right(answer[0]):
        faults.append("what is acknowledged is not made up for")
    more = (await stage.hear((IN, _segment(ends, PUSH_ACK, after, 5009, b"RETR x\r\n")))).out[OUT]
    if not more or int.from_bytes(more[0][38:42], "big") != after + LONGER:
        faults.append("sequence numbers are not made up for")
    return faults


async def two(stage: Stage) -> Seen:
    """Of two connections to a port that is not FTP's own, whose answers share a cached flow."""
    words = []
    for name, reads in (("as they are", ""), ("where a flow reads their port", READS)):
        stage.forget()
        stage.flows(*_flows(2121, reads))
        faults = [await _control(stage, 2121, sport) for sport in (40000, 40003)]
        words.append(f"{name}: {'; '.join(map(str, faults[1])) or 'right'}")
        assert not faults[0]
    return Seen("the second's answers " + ", ".join(words), words[0].endswith("right"))


async def ftp(stage: Stage) -> Seen:
    faults = []
    for port in (21, 2121):
        stage.forget()
        stage.flows(*_flows(port))
        faults += [f"port {port}: {fault}" for fault in await _control(stage, port, 40000)]
        if await _called(stage, 51210) != f"{VM}:51210":
            faults.append(f"port {port}: who calls back does not get in")
        if await _called(stage, 51211):
            faults.append(f"port {port}: who calls another port gets in")
        await _asks(stage, port, 40001, b"PORT 10,0,0,99,200,20\r\n")
        if await _called(stage, 51220):
            faults.append(f"port {port}: a client can have somebody else called")
        said = await _asks(stage, port, 40002, b"EPRT |1|10.0.0.10|51300|\r\n")
        known = said == b"EPRT |1|203.0.113.5|51300|\r\n"
    return Seen(
        "; ".join(faults)
        or "on ports 21 and 2121: `PORT` is translated, sequence numbers are made up for, the server "
        "gets in where it was asked to and nowhere else, nobody can have another one called; `EPRT` for IPv4 is "
        f"{'known, too' if known else 'not known'}",
        not faults,
    )


PROBES = (
    Probe(
        "FTP in active mode through NAT",
        "`ct(commit,nat(src=...),alg=ftp)` on what is sent to a port, `ct(nat,alg=ftp)` on what comes from it, and "
        "`ct(commit,nat)` on what is `+new+rel`: is it right in active mode, on any port?",
        "Routers' conntrack helpers `ftp` and `tftp` are these flows "
        "([0443](decisions/0443-conntrack-helpers-are-the-datapaths.md)).",
        ftp,
    ),
    Probe(
        "FTP on another port, by two connections",
        "The same on a port of its own, by a second connection, whose answers share a cached flow with the first's.",
        "The flow for answers reads their destination port, so that each connection's are cached for themselves "
        "([0443](decisions/0443-conntrack-helpers-are-the-datapaths.md)).",
        two,
    ),
)
