"""What runs in a lab, and with which settings: the same commands and files an operator would use.

Values only; `build` writes and starts them.
"""

import sys
from pathlib import Path

from netweft.lab.commands import run, vsctl
from netweft.lab.layout import Layout, NodeLayout
from netweft.lab.supervisor import Command

NETWEFT = Path(sys.executable).with_name("netweft")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def server(layout: Layout) -> Command:
    argv = (str(NETWEFT), "server", "--config", f"{layout.server_folder}/netweft.toml")
    return Command(kind="server", argv=argv)


def server_settings(layout: Layout, port: int) -> str:
    return f"""\
[server]
listen = ["127.0.0.1:{port}", "unix:{layout.server_socket}"]
database = "sqlite:///{layout.server_folder}/netweft.db"
state_dir = "{layout.server_folder}"
"""


def agent(node: NodeLayout) -> Command:
    argv = (str(NETWEFT), "agent", "--config", f"{node.folder}/netweft.toml")
    return Command(kind="agent", node=node.name, argv=argv, namespace=node.namespace)


def agent_settings(node: NodeLayout) -> str:
    return f"""\
[agent]
node = "{node.name}"
server = ["unix:{node.layout.server_socket}"]
token_file = "{node.folder}/node.token"
ovs_run_dir = "{node.ovs}"
state_dir = "{node.folder}/agent"
socket = "{node.folder}/agent.sock"
tunnel_ip = "{node.tunnel_ip}"
underlay = "eth0"
"""


def ovsdb_server(node: NodeLayout) -> Command:
    """As the distribution's own start script runs it, but in a folder and a namespace of its own; so the next one."""
    return _open_vswitch(node, "ovsdb-server", f"{node.ovs}/conf.db", f"--remote=p{node.database}")


def ovs_vswitchd(node: NodeLayout) -> Command:
    return _open_vswitch(node, "ovs-vswitchd", node.database)


def _open_vswitch(node: NodeLayout, program: str, *words: str) -> Command:
    return Command(
        kind=program,
        node=node.name,
        argv=(program, *words, "--pidfile", "-vconsole:off", "-vsyslog:off", "--log-file"),
        namespace=node.namespace,
        environment={name: str(node.ovs) for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR")},
    )


def create_database(node: NodeLayout) -> None:
    run("ovsdb-tool", "create", f"{node.ovs}/conf.db", SCHEMA)


def initialise_database(node: NodeLayout) -> None:
    vsctl(node, "--no-wait", "init", "--", "set", "Open_vSwitch", ".", f"external_ids:system-id={node.name}")
