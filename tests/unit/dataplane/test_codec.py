"""Bytes and back without a switch; and bytes that make no sense."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dataplane.flows import ACTIONS, matches

from netweft.dataplane.openflow import messages
from netweft.dataplane.openflow.actions import decode_instructions, encode_instructions
from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.fields import canonical, match
from netweft.dataplane.openflow.flow import Flow, Goto, Output, Unreadable
from netweft.dataplane.openflow.oxm import decode_match, encode_match


@given(matches())
def test_a_match_survives(parts: list[tuple[str, int, int | None]]) -> None:
    wanted = canonical(parts)
    encoded = encode_match(wanted)
    assert len(encoded) % 8 == 0
    assert decode_match(encoded, 0) == (wanted, len(encoded))


@pytest.mark.parametrize("actions", ACTIONS, ids=str)
def test_actions_survive(actions: tuple[Output, ...]) -> None:
    encoded = encode_instructions(actions)
    assert decode_instructions(encoded, 0, len(encoded)) == actions


def test_a_field_we_do_not_know_survives() -> None:
    # OXM_OF_MPLS_LABEL, exact
    encoded = bytes.fromhex("0001000c800044040000005000000000")
    found, _ = decode_match(encoded, 0)
    assert found == (("oxm:80004404", 80, None),)
    assert encode_match(found) == encoded


@pytest.mark.parametrize("actions", [(Goto(1), Output(1)), (Unreadable(b"12345678"),)], ids=str)
def test_what_cannot_be_sent_is_refused(actions: tuple[Goto, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        encode_instructions(actions)


DECODERS: list[Callable[[bytes], object]] = [
    lambda data: decode_match(data, 0),
    lambda data: decode_instructions(data, 0, len(data)),
    lambda data: list(messages.decode_flows(data, 0)),
    lambda data: list(messages.decode_changes(data, 0)),
    lambda data: messages.decode_error(data),
    lambda data: messages.decode_features(data),
    lambda data: messages.multipart_head(data),
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.data())
def test_garbage_is_a_protocol_error(decode: Callable[[bytes], object], data: st.DataObject) -> None:
    flow = Flow(
        table=1, priority=2, match=match(eth_type=0x0800, ipv4_src=1, reg0=(1, 3)), actions=(Output(1), Goto(2))
    )
    good = messages.add_flow(flow, 1)[40:]
    cut = data.draw(st.integers(0, len(good)))
    garbage = data.draw(st.one_of(st.binary(max_size=200), st.just(good[cut:]), st.just(good[:cut])))
    with contextlib.suppress(ProtocolError):
        decode(garbage)


@given(st.binary(max_size=200))
def test_counts_are_read_or_refused(data: bytes) -> None:
    """Whatever the switch sends: nothing but ProtocolError, and an end."""
    with contextlib.suppress(ProtocolError):
        list(messages.decode_counts(data, 0))


def test_counts_of_a_flow() -> None:
    statistics = bytes.fromhex("0000002480020808000000000000000780020a0800000000000003848002000400000001") + bytes(4)
    body = encode_match(match(in_port=3))
    head = struct.pack("!H2xBxHHHHHQ", 24 + len(body) + len(statistics), 21, 20, 0, 0, 0, 0, 0xABCD)
    (found,) = messages.decode_counts(head + body + statistics, 0)
    assert found == messages.Count(0xABCD, (21, 20, body), 7, 900)
