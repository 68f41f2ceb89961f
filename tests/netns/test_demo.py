"""What a newcomer sees."""

import subprocess

import pytest

from netweft.lab import build, demo, hypervisor
from netweft.lab.layout import Layout
from netweft.lab.picture import WIDTH


@pytest.mark.client
@pytest.mark.timeout(600)
def test_the_demo_takes_an_earlier_lab_away_and_ends_with_a_picture(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "LAB", layout.lab)
    build.up(layout, build.Plan(nodes=1))
    demo.tell()
    first = capfd.readouterr().out
    assert "away with it" in first
    assert "3 packets transmitted, 3 received, 0% packet loss" in first
    assert max(map(len, first.splitlines())) <= max(WIDTH, 100)
    assert first.count("2 packets transmitted, 2 received, 0% packet loss") == 6
    assert first.count("2 packets transmitted, 0 received, 100% packet loss") == 1, "the firewall refuses a stranger"
    physical = ("br-eth1", "⇄ VLAN 100", "br-ex", "⇄ untagged (flat)", "host printer", "host outside")
    routed = ("router r1", "blue ── 10.5.5.1", "green ── 10.7.7.1", "(SNAT)", "⇄ 203.0.113.", "(floating IP)")
    for word in (*routed, "br-int", "br-tun", "VNI", "198.18.0.1", "198.18.0.2", "local VLAN tag", *physical):
        assert word in first
    assert "web1 answers" in first
    assert "8 times: web2 answers 8\n" in first, "the other web server is dead"
    _commands_work(first)


def _commands_work(story: str) -> None:
    """What it says to try can be tried."""
    commands = story.partition("look around:")[2].partition("and take it down")[0]
    script = "set -e\n" + commands
    assert "netweft lab status" in script
    path = f"{hypervisor.NETWEFT.parent}"
    done = subprocess.run(("bash", "-c", f'PATH="{path}:$PATH"\n{script}'), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
