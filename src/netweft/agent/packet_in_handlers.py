"""Who answers what flows hand up, in one list: a new kind of question is a line here."""

from netweft.agent.desired import Desired
from netweft.agent.dhcp import DhcpSide, MachinesDhcp
from netweft.agent.facts import dhcp_settings
from netweft.agent.l3.advertiser import Solicitations
from netweft.agent.l3.failover import Failover
from netweft.agent.l3.floating_errors import FloatingErrors
from netweft.agent.l3.floating_handover import FloatingHandover
from netweft.agent.l3.forwarded_fragments import ForwardedPieces
from netweft.agent.l3.nat66_errors import Nat66Errors
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.routers import Errors, Neighbours
from netweft.agent.lb.fragments import VipPieces
from netweft.agent.metadata.side import Solicitations as MetadataSolicitations
from netweft.agent.packet_ins import PacketInHandler
from netweft.agent.security.firewall_logs import FirewallLogs
from netweft.agent.security.rejections import Rejections
from netweft.settings import AgentSettings


def handlers(
    settings: AgentSettings, desired: Desired, resolver: Resolver, failover: Failover, handover: FloatingHandover
) -> tuple[PacketInHandler, ...]:
    return (
        DhcpSide(desired, dhcp_settings(settings)),
        MachinesDhcp(desired, dhcp_settings(settings)),
        Neighbours(desired),
        Errors(desired, resolver),
        Solicitations(desired),
        resolver,
        failover,
        handover,
        FloatingErrors(desired),
        Nat66Errors(desired),
        ForwardedPieces(desired),
        VipPieces(),
        MetadataSolicitations(),
        Rejections(desired),
        FirewallLogs(desired, settings.firewall_log),
    )
