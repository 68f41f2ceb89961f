"""All facts, for the roles that are requested.  Changes nothing; whatever cannot be found out is left as unknown."""

from collections.abc import Mapping

from netweft.doctor import gather_host
from netweft.doctor.facts import Facts
from netweft.settings import AgentSettings, ServerSettings
from netweft.spans import exporting


def gather(
    server: ServerSettings | None, agent: AgentSettings | None, wrong: Mapping[str, str], physical_mtu: int
) -> Facts:
    """wrong: role -> what is wrong with its settings.  Blocks: some seconds where somebody does not answer."""
    roles = {"server": server, "agent": agent}
    host = gather_host.host([name for name, settings in roles.items() if settings])
    of_server = of_agent = None
    problems = dict(wrong)
    if server:
        from netweft.doctor.gather_server import gather as ask_server

        of_server = ask_server(server)
    if agent:
        from netweft.doctor.gather_agent import gather as ask_agent
        from netweft.doctor.gather_agent import problem

        if said := problem(agent):
            problems["agent"] = said
        else:
            of_agent = ask_agent(agent, physical_mtu)
    for role, settings in roles.items():
        if settings and (said := exporting.problem(settings.otlp_endpoint)):
            problems.setdefault(role, said)
    return Facts(host, of_server, of_agent, problems)
