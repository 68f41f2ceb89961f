"""The program that says which class a frame is in: it is what was asked, and can be read back."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.host import classifier
from netweft.dataplane.host.classifier import Sender

SENDERS = st.dictionaries(
    st.tuples(st.integers(0, 2**48 - 1), st.sampled_from([6, 48, 56, 76])), st.integers(1, 2**32 - 1), max_size=8
)


def run(program: bytes, frame: bytes) -> int:
    """Classic BPF, as far as we use it; as in the kernel a load beyond the end gives 0."""
    operations = list(classifier._OP.iter_unpack(program))
    at = value = 0
    while True:
        code, if_true, if_false, k = operations[at]
        at += 1
        match code:
            case 0x20 | 0x28:
                size = 4 if code == 0x20 else 2
                if k + size > len(frame):
                    return 0
                value = int.from_bytes(frame[k : k + size], "big")
            case 0x15:
                at += if_true if value == k else if_false
            case 0x06:
                return int(k)


def frame(mac: int, offset: int, length: int) -> bytes:
    return (bytes(offset) + mac.to_bytes(6, "big")).ljust(length, b"\xff")


@given(SENDERS)
def test_it_can_be_read_back(senders: Mapping[Sender, int]) -> None:
    assert classifier.senders(classifier.program(senders)) == senders


@given(SENDERS, st.integers(1, 2**48 - 1))
def test_each_sender_is_in_its_class_and_nobody_else(senders: Mapping[Sender, int], stranger: int) -> None:
    program = classifier.program(senders)
    for (mac, offset), target in senders.items():
        lower = [senders[0, other] for other in (6, 48, 56, 76) if (0, other) in senders and other < offset]
        assert run(program, frame(mac, offset, 100)) in (target, *lower), "zeros before it are somebody's MAC, too"
    if not any(mac == stranger or mac in (0, 2**48 - 1) for mac, _ in senders):
        assert run(program, b"\xff" * 6 + stranger.to_bytes(6, "big") + b"\xff" * 100) == 0


def test_of_a_short_frame_the_header_is_read_before_what_it_does_not_have() -> None:
    program = classifier.program({(5, 56): 1, (7, 6): 2})
    assert run(program, frame(7, 6, 60)) == 2
    assert run(program, frame(9, 6, 60)) == 0
