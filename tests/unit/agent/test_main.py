"""Settings that cannot work are said in one line, before anything is touched."""

import subprocess
import sys
from pathlib import Path

import pytest

from netweft.agent.facts import host_facts, node_facts
from netweft.agent.main import AgentError, run
from netweft.settings import AgentSettings


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tunnel_ip": "10.0.0.300"}, "tunnel_ip: 10.0.0.300 is not an IP address"),
        ({"bridge_mappings": ("physnet1",)}, "bridge_mappings: physnet1"),
        ({"bridge_mappings": ("a:br-eth1", "b:br-eth1")}, "something is there twice"),
        ({"bridge_mappings": ("a:br-eth1", "a:br-eth2")}, "something is there twice"),
        ({"bridge_mappings": ("a:br-int",)}, "something is there twice"),
        ({"tunnel_types": ("vxlan", "sit")}, "tunnel_types: sit: not supported"),
        ({"uplink_bandwidths": ("physnet1:eth1:5",)}, "uplink_bandwidths: physnet1: there are tunnel"),
        ({"uplink_bandwidths": ("a:eth1:5", "tunnel:eth1:6"), "bridge_mappings": ("a:b",)}, "eth1 has two bandwidths"),
        ({"local_vlans": "0:4094"}, "local_vlans: 0:4094"),
        ({"local_vlans": "9:3"}, "local_vlans: 9:3"),
        ({"metrics_listen": ("192.0.2.1:9698",)}, "metrics_listen: cannot listen on 192.0.2.1:9698"),
    ],
)
def test_bad_settings(settings: dict[str, object], why: str, tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=why):
        run(AgentSettings(socket=str(tmp_path / "s"), **settings))  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_a_socket_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AgentError, match="cannot listen on"):
        run(AgentSettings(socket=str(tmp_path / "file" / "s")))


def test_without_metrics_nothing_of_them_is_imported() -> None:
    imported = "import sys, netweft.agent.loop, netweft.agent.main, netweft.server.run"
    script = f"{imported}; print('prometheus_client' in sys.modules)"
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_facts() -> None:
    settings = AgentSettings(node="hv1", tunnel_ip="192.0.2.1", bridge_mappings=("physnet1:br-eth1",))
    assert host_facts(settings, "netdev").datapath_type == "netdev"
    chosen = AgentSettings(node="hv1", datapath_type="system")
    assert host_facts(chosen, "netdev").datapath_type == "system", "what is set beats what is found"
    facts = node_facts(settings, "netdev", "3.1.0")
    assert facts.bridge_mappings == {"physnet1": "br-eth1"}
    assert facts.tunnel_ip == "192.0.2.1"
    assert node_facts(AgentSettings()).tunnel_ip is None
