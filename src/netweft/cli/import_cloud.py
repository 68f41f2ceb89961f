"""`netweft import`: an existing cloud's networks become this one's."""

from collections import Counter
from typing import Any

import click

from netweft.cli.errors import CommandError
from netweft.cli.options import from_options, settings_options
from netweft.cli.printing import printable
from netweft.settings import ServerSettings
from netweft.starting import loading


@click.command("import")
@click.option(
    "--neutron-db",
    metavar="URL",
    help="Neutron's database, as in neutron.conf: mysql+pymysql://user@host/neutron.",
)
@click.option(
    "--ovn-nb",
    metavar="SOCKET",
    help="The northbound database of a Neutron's OVN: unix:PATH or tcp:HOST:PORT.  It knows less than Neutron's own.",
)
@click.option("--dry-run", is_flag=True, help="Say what would come and what would not, on a copy of the database.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each object, not only for those that are refused.")
@settings_options(ServerSettings)
def import_cloud(neutron_db: str | None, ovn_nb: str | None, dry_run: bool, verbose: bool, **options: Any) -> None:
    """Take over what another cloud has, with its ids, MACs, addresses and VNIs.

    Runs on a server's machine, with the server's settings.  What is there already stays as it is, so an import that was
    interrupted is run again.  Ends with 1 when something was refused.
    """
    if (neutron_db is None) == (ovn_nb is None):
        raise CommandError("say where from: --neutron-db URL or --ovn-nb SOCKET")
    settings = from_options(ServerSettings, options)
    with loading():
        from netweft.importing import neutron_db as of_neutron
        from netweft.importing import ovn_nb as of_ovn
        from netweft.importing.cloud import Unreadable
        from netweft.importing.run import taken_over
        from netweft.server.run import StateError

    seen: Counter[tuple[str, str]] = Counter()
    try:
        cloud = of_ovn.read(ovn_nb) if ovn_nb is not None else of_neutron.read(neutron_db or "")
        for kind, id, why in cloud.left_out:
            seen[kind, "left out"] += 1
            if verbose or kind != "port":  # those are Neutron's own services'
                click.echo(printable(f"left out  {kind} {id}: {why}"))
        for outcome in taken_over(cloud, settings, dry_run=dry_run):
            seen[outcome.kind, outcome.state] += 1
            if verbose or outcome.state == "refused":
                why = f": {outcome.why}" if outcome.why else ""
                named = f" ({outcome.name})" if outcome.name else ""
                click.echo(printable(f"{outcome.state:<9} {outcome.kind} {outcome.id}{named}{why}"))
    except (Unreadable, StateError) as error:
        raise CommandError(str(error)) from None
    click.echo(_table(seen))
    if refused := sum(count for (_, state), count in seen.items() if state == "refused"):
        raise CommandError(f"{refused} objects were refused{' (dry run)' if dry_run else ''}")


_STATES = ("new", "there", "refused", "left out")


def _table(seen: Counter[tuple[str, str]]) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in seen))
    lines = [f"{'':<22}" + "".join(f"{state:>10}" for state in _STATES)]
    lines += [f"{kind:<22}" + "".join(f"{seen[kind, state] or '':>10}" for state in _STATES) for kind in kinds]
    return "\n".join(lines)
