"""What the datapath can do is asked at each connection, and kept where there is no answer."""

from pathlib import Path

import pytest

from netweft.agent.host import datapath
from netweft.agent.host.datapath import BridgeDatapath
from netweft.dataplane.unixctl.client import CommandFailed


async def test_it_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["Check pkt length action: No\n", "", "Check pkt length action: Yes\nIPv6 ND Extension: Yes\n"]

    async def command(_: Path, *words: str) -> str:
        assert words == ("dpif/show-dp-features", "br-int")
        if not answers[0]:
            raise CommandFailed("no answer")
        return answers[0]

    monkeypatch.setattr(datapath, "command", command)
    found, seen = BridgeDatapath(Path(), "br-int"), []
    while answers:
        await found.read()
        seen.append((found.compares_lengths, found.writes_discovery))
        answers.pop(0)
    assert seen == [(False, False), (False, False), (True, True)]


async def test_what_it_lacks_is_reported_until_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["CT state: Yes\nCT state NAT: No\n", "CT state: Yes\nCT state NAT: Yes\n"]

    async def command(_: Path, *words: str) -> str:
        return answers.pop(0)

    monkeypatch.setattr(datapath, "command", command)
    found = BridgeDatapath(Path(), "br-int")
    await found.read()
    assert found.problem == "the datapath of br-int lacks CT state NAT"
    await found.read()
    assert found.problem == ""


async def test_the_userspace_one_is_taken_to_write_discovery_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def command(_: Path, *words: str) -> str:
        return "Check pkt length action: Yes\nIPv6 ND Extension: No\n"

    monkeypatch.setattr(datapath, "command", command)
    found, seen = BridgeDatapath(Path(), "br-int"), []
    for datapath_type in ("system", "netdev"):
        found.assume(datapath_type)
        seen.append(found.writes_discovery)
    await found.read()
    found.assume("netdev")
    assert [*seen, found.writes_discovery] == [False, True, False]
