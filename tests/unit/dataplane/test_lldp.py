"""What lldpd says, as it says it, and what it should not be able to do to us."""

import json
import time
from pathlib import Path

import pytest

from netweft.agent.host import lldp
from netweft.agent.host.lldp import LldpSide
from netweft.dataplane.lldp import Heard, LldpError, parsed
from netweft.model import Neighbour


def interface(name: str, chassis: dict[str, object], **port: object) -> dict[str, object]:
    return {"name": name, "via": "LLDP", "chassis": [chassis], "port": [port]}


def said(*interfaces: dict[str, object]) -> bytes:
    return json.dumps({"lldp": [{"interface": list(interfaces)}]}).encode()


TOR: dict[str, object] = {"id": [{"type": "mac", "value": "00:53:00:0a:0a:0a"}], "name": [{"value": "tor1"}]}
BY_NAME = {"id": [{"type": "ifname", "value": "Ethernet1"}], "descr": [{"value": "to hv1"}]}
BY_MAC = {"id": [{"type": "mac", "value": "00:53:00:0a:0a:01"}], "descr": [{"value": "swp2"}]}
HEARD = Heard("00:53:00:0a:0a:0a", "tor1", "Ethernet1")


def test_a_port_is_called_by_its_name_or_else_its_description() -> None:
    nameless: dict[str, object] = {"id": [{"type": "local", "value": "x"}]}
    found = parsed(said(interface("eth1", TOR, **BY_NAME), interface("eth2", nameless, **BY_MAC)))
    assert found == {"eth1": HEARD, "eth2": Heard("x", "", "swp2")}


def test_several_on_one_nic_are_a_hub() -> None:
    twice = [interface("eth1", TOR, **BY_NAME), interface("eth1", TOR, **BY_MAC), interface("eth2", TOR, **BY_NAME)]
    assert parsed(said(*twice)) == {"eth2": HEARD}


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"lldp": ' + b"[" * 100_000])
def test_what_is_not_understood_is_an_error(text: bytes) -> None:
    with pytest.raises(LldpError, match="lldpcli: what it says is not understood"):
        parsed(text)


@pytest.mark.parametrize(
    "liar",
    [
        {"name": "eth2"},
        {"name": "eth2", "chassis": [TOR], "port": [{"id": []}]},
        {"name": "eth2", "chassis": [TOR, TOR], "port": [BY_NAME]},
        {"name": "eth2", "chassis": ["tor1"], "port": [7]},
        {"name": ["eth2"], "chassis": None, "port": None},
    ],
)
def test_one_neighbour_that_is_not_understood_costs_no_other(liar: dict[str, object]) -> None:
    assert parsed(said(liar, interface("eth1", TOR, **BY_NAME))) == {"eth1": HEARD}


def test_what_is_no_text_reaches_no_log_and_no_database() -> None:
    evil: dict[str, object] = {
        "id": [{"type": "local", "value": "a\x1b[2Jb\x00c\nd\u202e"}],
        "name": [{"value": "x" * 9999}],
    }
    raw = said(interface("eth1", evil, **BY_NAME)).replace(b"Ethernet1", b"Eth\xff\xfe1")
    (found,) = parsed(raw).values()
    assert found.switch_id == "a\ufffd[2Jb\ufffdc\ufffdd\ufffd"
    assert (len(found.switch_name), found.port) == (255, "Eth\ufffd\ufffd1")


def test_thousands_of_neighbours_are_a_hub_each_and_take_no_time() -> None:
    many = [interface(f"eth{n % 7}", TOR, **BY_NAME) for n in range(20_000)]
    begun = time.process_time()
    assert parsed(said(*many, interface("eth8", TOR, **BY_NAME))) == {"eth8": HEARD}
    assert time.process_time() - begun < 5


def test_nobody_heard_is_nothing() -> None:
    assert parsed(b'{"lldp": [{}]}') == {}


async def test_what_was_heard_stays_while_lldpd_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers: list[dict[str, Heard] | LldpError] = [{"eth1": HEARD, "tap1": HEARD}, {}, LldpError("away")]
    changes: list[None] = []
    side = LldpSide("somewhere", 0.0, lambda: changes.append(None))

    async def ask(socket: str) -> dict[str, Heard]:
        answer = answers.pop(0)
        if isinstance(answer, LldpError):
            raise answer
        return answer

    monkeypatch.setattr(lldp, "ask", ask)
    for changed, problem in ((1, ""), (1, ""), (2, "away")):
        await side._look()
        assert (len(changes), side.problem) == (changed, problem)
        assert side.neighbours({"eth1"}) == (Neighbour("eth1", *HEARD),)  # a VM's tap is no NIC


async def test_a_socket_of_nobody_is_a_problem_in_one_line(tmp_path: Path) -> None:
    side = LldpSide(f"{tmp_path}/nobody", 1.0, lambda: None)
    await side._look()
    assert side.problem.startswith("lldpcli: ")
    assert "\n" not in side.problem
