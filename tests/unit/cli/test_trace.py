"""`netweft trace` as it is called: what it asks, what it prints, and the three ways in which it ends."""

import json
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest

from netweft.cli.main import main

STEPS = [
    {"type": "port", "id": "p-1", "name": "web", "does": "lets it out", "packet": "tcp a -> b", "host": "hv1"},
    {
        "type": "network", "id": "n-1", "name": "blue", "does": "carries it", "packet": "tcp a -> b",
        "provider:network_type": "vxlan", "provider:segmentation_id": 7,
    },
    {"type": "outside", "does": "gets it", "packet": "tcp c -> b"},
]  # fmt: skip
FINDING = {
    "layer": "api", "direction": "forward", "code": "no-rule-lets-it-in", "blocks": True,
    "object": {"type": "port", "id": "p-2", "name": "db"}, "message": "No rule lets it in.", "detail": "tcp a -> b",
    "fix": "openstack security group rule create", "fixed_by": "owner",
    "changed": {"at": "2026-11-29T12:00:00Z", "by": "user u", "operation": "update", "revision": 7},
}  # fmt: skip
FLOW = {"bridge": "br-int", "table": "classify", "flow": "in_port=5", "reason": "port classify", "object": "00abc"}
NODE = {
    "direction": "forward", "host": "hv1",
    "flows": [FLOW, {**FLOW, "bridge": "br-tun", "flow": "dl_vlan=4,priority=9", "object": "0000000000"}],
    "ends": [{"kind": "tunnel", "tunnel": "192.0.2.2", "key": 7, "interface": "vxlan"}],
}  # fmt: skip
TRACE: dict[str, Any] = {
    "from": {"type": "port", "id": "p-1", "name": "web"}, "to": {"type": "address", "address": "10.0.0.9"},
    "packet": {}, "passes": True, "parts_at": None, "findings": [], "assumptions": ["it answers"],
    "forward": {"ends": "port", "steps": STEPS, "translations": []}, "return": None, "layers": {}, "nodes": [NODE],
    "unseen": [],
}  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, told: Any = TRACE, status: int = 200) -> tuple[int, Any]:
    """The exit code, and what was asked."""
    asked: list[Any] = [None]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["trace"])
        return httpx.Response(status, json={"trace": told})

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=httpx.MockTransport(answer)))
    monkeypatch.setenv("OS_AUTH_URL", "http://a/v3")
    monkeypatch.setenv("OS_TOKEN", "t")
    with pytest.raises(SystemExit) as end:
        main(["trace", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code, asked[-1]


def test_what_passes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, asked = run(monkeypatch, "web", "10.0.0.9", "--proto", "tcp", "--port", "443", "--flows")
    assert (status, asked) == (0, {"from": "web", "to": "10.0.0.9", "protocol": "tcp", "port": 443, "size": 0})
    assert capsys.readouterr().out.splitlines() == [
        "web -> 10.0.0.9: it passes",
        "there:",
        "    tcp a -> b",
        "  o port web (hv1): lets it out",
        "  | network blue (vxlan 7): carries it",
        "    tcp c -> b",
        "  o outside: gets it",
        "  hv1: br-int -> local VLAN 4 -> br-tun -> tunnel to 192.0.2.2, VNI 7",
        "      br-int classify: in_port=5  [port classify 00abc]",
        "      br-tun classify: dl_vlan=4,priority=9  [port classify]",
        "supposed: it answers",
    ]


def test_what_a_load_balancer_has_chosen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    chose = {**FLOW, "table": "members", "reason": "member slots", "object": "00def"}
    run(monkeypatch, "web", "10.0.0.9", told={**TRACE, "nodes": [{**NODE, "flows": [FLOW, chose]}]})
    assert "hv1: br-int -> balanced to member 00def -> tunnel to 192.0.2.2" in capsys.readouterr().out


def test_what_does_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    operators = FINDING | {"direction": "return", "detail": "", "fix": "", "fixed_by": "admin", "code": "vm-link-down"}
    operators["changed"] = None
    told = TRACE | {"passes": False, "findings": [FINDING, operators], "return": TRACE["forward"]}
    assert run(monkeypatch, "web", "db", "--reply", told=told)[0] == 1
    out = capsys.readouterr().out
    assert "in its way:\n  ! no-rule-lets-it-in: port db: No rule lets it in.\n      tcp a -> b\n" in out
    assert "      changed last 2026-11-29T12:00:00Z by user u\n      fix: openstack" in out
    assert "  ! vm-link-down (of the answer): port db" in out
    assert "      fix: ask an administrator" in out
    assert "back:\n" in out


def test_what_was_not_found_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = TRACE | {"passes": None, "unseen": ["hv2: its agent does not answer"]}
    assert run(monkeypatch, "web", "db", told=told)[0] == 2
    assert "not seen: hv2: its agent does not answer" in capsys.readouterr().out


def test_a_name_says_nothing_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = TRACE | {"from": {"type": "port", "name": "a\x1b[2J\r\nit passes"}}
    run(monkeypatch, "web", "db", told=told)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "a?[2J??it passes -> 10.0.0.9: it passes"
    assert "\x1b" not in out


def test_json_and_what_if(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"routes": []}')
    status, asked = run(monkeypatch, "a", "b", "--json", "--what-if", str(file))
    assert (status, asked["what_if"]) == (0, {"routes": []})
    assert json.loads(capsys.readouterr().out) == TRACE
    file.write_text("{")
    assert run(monkeypatch, "a", "b", "--what-if", str(file))[0] == 2
    assert "rules.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"), [(("web",), 200), (("web", "db", "--port", "0"), 200), (("web", "db"), 500)]
)
def test_what_is_ambiguous(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int
) -> None:
    assert run(monkeypatch, *arguments, status=status)[0] == 2
    assert "Traceback" not in capsys.readouterr().err


# -- real packets

CAUGHT: dict[str, Any] = {
    "caught": 1, "arrived": False, "waited": 0.4, "passed": 3, "lost": 0, "why": "", "dropped_by": None,
    "packet": {"src": "10.0.0.1", "dst": "10.0.0.2", "protocol": 6, "sport": 40000, "dport": 80, "ttl": 64,
               "flags": "S", "length": 74, "at": 1.5},
    "seen": [{"port_id": "p-1", "out": False, "src": "10.0.0.1", "dst": "10.0.0.2", "ttl": 64}],
    "packets": [{"at": 12.000001, "port_id": "p-1", "out": False, "length": 74, "data": "AAEC"}],
}  # fmt: skip


def test_a_real_packet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "caught.pcap"
    told = TRACE | {"passes": False, "live": CAUGHT}
    words = ("--live", "--dropped", "--seconds", "60", "--pcap", str(file))
    status, asked = run(monkeypatch, "web", "db", *words, told=told)
    live = {"seconds": 60.0, "dropped": True, "packets": 1, "capture": True, "bytes": 1600}
    assert (status, asked["live"]) == (1, live)
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "live: tcp 10.0.0.1:40000 -> 10.0.0.2:80, flags S, 74 bytes, TTL 64: it did not arrive",
        "    port p-1: sent by the VM: 10.0.0.1 -> 10.0.0.2, TTL 64",
        "    3 that arrived came before",
    ]
    magic, major, minor, _, _, most, link = struct.unpack_from("=IHHiIII", data := file.read_bytes())
    assert (magic, major, minor, most, link) == (0xA1B2C3D4, 2, 4, 1600, 1)
    assert struct.unpack_from("=IIII", data, 24) == (12, 1, 3, 74)
    assert data[40:] == b"\0\1\2"


def test_none_came(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    none = CAUGHT | {"caught": 0, "packet": None, "seen": [], "packets": [], "why": "no such packet came", "passed": 0}
    told = TRACE | {"passes": None, "live": none | {"arrived": None}}
    assert run(monkeypatch, "web", "db", "--live", told=told)[0] == 2
    assert "live: no such packet came, in 0.4 s" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--pcap", "x"), ("--dropped",), ("--packets", "2"), ("--live", "--pcap", "/no/x")])
def test_what_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(monkeypatch, "web", "db", *words) == (2, None)
    assert capsys.readouterr().err.count("\n") == 1
