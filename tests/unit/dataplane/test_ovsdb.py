"""The stream's framing, and the replica under updates."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.ovsdb import framing
from netweft.dataplane.ovsdb.errors import OvsdbProtocolError
from netweft.dataplane.ovsdb.framing import Framer
from netweft.dataplane.ovsdb.replica import Replica

texts = st.text(alphabet='ab{}"\\ü\n[]', max_size=8)
objects = st.dictionaries(texts, st.one_of(texts, st.integers(), st.lists(texts), st.dictionaries(texts, texts)))


@given(st.lists(objects, max_size=5), st.integers(1, 9))
def test_objects_are_cut_out_wherever_the_chunks_end(sent: list[dict[str, Any]], size: int) -> None:
    stream = b"".join(json.dumps(each, ensure_ascii=False).encode() for each in sent)
    framer = Framer()
    found = [text for start in range(0, len(stream), size) for text in framer.feed(stream[start : start + size])]
    assert [json.loads(text) for text in found] == sent


def test_what_comes_slowly_is_looked_at_once() -> None:
    """A string without an end, in many pieces: four times as many take four times as long, and not sixteen times."""

    def seconds(pieces: int) -> float:
        framer, begun = Framer(), time.process_time()
        framer.feed(b'{"id": 1, "x": "')
        for _ in range(pieces):
            framer.feed(b"x" * 2**16)
        return time.process_time() - begun

    assert seconds(192) < 8 * seconds(48) + 0.1


@pytest.mark.parametrize("text", [rb'{"a": "\\\"}", "b": "\\\\"}', rb'{"a": "{[\\"}', b'{"\xc3\xa9": "\xe2\x82\xac"}'])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_strings_are_cut_anywhere(text: bytes, size: int) -> None:
    framer = Framer()
    got = [one for at in range(0, len(text), size) for one in framer.feed(text[at : at + size])]
    assert got == [text]


def test_a_message_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 10)
    with pytest.raises(OvsdbProtocolError, match="more than 10 bytes"):
        Framer().feed(b'{"a": "1234567890')


def updated(*updates: dict[str, Any]) -> Replica:
    replica = Replica()
    for update in updates:
        replica.update(update)
    return replica


PORT = {"Port": {"p1": {"initial": {"name": "tap0", "interfaces": ["uuid", "i1"], "tag": ["set", []]}}}}
BRIDGE = {"Bridge": {"b1": {"insert": {"name": "br", "ports": ["set", [["uuid", "p1"], ["uuid", "p2"]]]}}}}


def test_a_modify_names_what_has_come_or_gone_of_a_set() -> None:
    modify = {"Bridge": {"b1": {"modify": {"ports": ["set", [["uuid", "p2"], ["uuid", "p3"]]]}}}}
    assert updated(BRIDGE, modify).bridges["b1"].ports == {"p1", "p3"}


def test_a_modify_names_what_has_come_gone_or_changed_of_a_map() -> None:
    first = {"Port": {"p1": {"initial": {"name": "tap0", "external_ids": ["map", [["a", "1"], ["b", "2"]]]}}}}
    modify = {"Port": {"p1": {"modify": {"external_ids": ["map", [["a", "1"], ["b", "3"], ["c", "4"]]]}}}}
    assert updated(first, modify).ports["p1"].external_ids == {"b": "3", "c": "4"}


def test_a_modify_replaces_an_optional_value() -> None:
    replica = updated(PORT, {"Port": {"p1": {"modify": {"tag": 5}}}})
    assert replica.ports["p1"].tag == 5
    replica.update({"Port": {"p1": {"modify": {"tag": ["set", []]}}}})
    assert replica.ports["p1"].tag is None


def test_a_row_is_found_by_its_name_until_it_is_gone() -> None:
    replica = updated(PORT)
    found = replica.port("tap0")
    assert found is not None
    assert found.interfaces == {"i1"}
    replica.update({"Port": {"p1": {"delete": None}}})
    assert replica.port("tap0") is None


def test_a_name_taken_over_within_one_update_stays_with_its_new_row() -> None:
    replica = updated(PORT, {"Port": {"p2": {"insert": {"name": "tap0"}}, "p1": {"delete": None}}})
    assert replica.uuid("Port", "tap0") == "p2"


@given(st.recursive(st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_garbage_is_a_protocol_error(garbage: Any) -> None:
    for update in ({"Bridge": garbage}, {"Bridge": {"u": garbage}}, {"Port": {"u": {"insert": garbage}}}):
        with contextlib.suppress(OvsdbProtocolError):
            Replica().update(update)
