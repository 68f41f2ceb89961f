"""The subcommands of `netweft`, imported when they are called.

A subcommand is an entry of COMMANDS; it raises CommandError.
"""

import click

from netweft import __version__
from netweft.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "server": Lazy("netweft.cli.server:server", "Run the API, identity and the feed."),
    "agent": Lazy("netweft.cli.agent:agent", "Run the agent of this hypervisor; ask what it would change."),
    "check": Lazy("netweft.cli.check:check", "Saved checks: what must pass and what must not, run when things change."),
    "follower": Lazy("netweft.cli.follower:follower", "Who else follows the feed, and what it would do."),
    "node": Lazy("netweft.cli.node:node", "Let hypervisors in: their tokens."),
    "explain": Lazy("netweft.cli.explain:explain", "What an object is, and everything that keeps it from working."),
    "trace": Lazy("netweft.cli.trace:trace", "Whether a packet passes, and everything that is in its way."),
    "doctor": Lazy("netweft.cli.doctor:doctor", "What this host lacks before the first start."),
    "support-bundle": Lazy(
        "netweft.cli.support_bundle:support_bundle",
        "What a maintainer needs of this host, in one file.",
    ),
    "lab": Lazy("netweft.cli.lab:lab", "Hypervisors, their fabric and VMs, on this machine."),
    "import": Lazy("netweft.cli.import_cloud:import_cloud", "Take over what a Neutron has, with its ids."),
    "demo": Lazy("netweft.cli.demo:demo", "Two hypervisors, two VMs, a ping over VXLAN, and a picture of it."),
}


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(__version__, prog_name="netweft")
def cli() -> None:
    """Network-as-a-Service on Open vSwitch."""


def called(arguments: list[str] | None) -> int:
    """Returns the status that the process ends with."""
    try:
        status = cli.main(args=arguments, prog_name="netweft", standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return status if isinstance(status, int) else 0
