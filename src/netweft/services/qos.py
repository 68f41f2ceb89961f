"""Quality of service: the rules of a port's QoS policy, put into effect.

    bandwidth and packet rate   a meter each, for each direction: in `egress_qos` what the VM sends, whatever it is; in
                                `ingress_limit` what is about to be delivered to it, flooded frames too
    DSCP mark                   written on IPv4 and IPv6 packets that the VM sends, in `egress_qos`
    minimum bandwidth           a guarantee on the NIC by which the network leaves the node, classified by source MAC

Meters drop, they do not delay; the burst decides what becomes of TCP (docs/decisions/0130).  A meter's number follows
from the logical port, so that a restarted agent finds the meters it made.  What this node cannot do becomes a sentence
in the port's status; the port is wired all the same.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from netweft.dataplane.host.values import Guarantee
from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import Action, Meter, SetField
from netweft.dataplane.openflow.meters import DropMeter, Unit
from netweft.model import QosPolicy
from netweft.services.addresses import mac
from netweft.services.fields import IN_PORT, OUT_PORT, Limit, Reason, cookie, meter_number
from netweft.services.pipeline import INT
from netweft.services.service import Service, Wanted
from netweft.services.values import TUNNELLED, LocalPort

Direction = Literal["egress", "ingress"]

DEFAULT_BURST = 8, 10  # of a second's worth, as Neutron has it
MOST = 2**32 - 1
ETHERNET = 18  # bytes round what the MTU counts, with an 802.1Q tag
UNCUT = 65_536 + ETHERNET  # bytes, of the largest that Linux hands to a NIC

_ETHERNET_HEADER, _SOURCE_MAC = 14, 6  # its length, and where the MAC is in it
_IP_HEADER = {4: 20, 6: 40}
_TUNNEL_HEADER = {
    "vxlan": 16,
    "geneve": 16,
    "gre": 8,
    "stt": 38,
}  # with UDP or what looks like TCP, without options; GRE with its key


def port(here: LocalPort) -> Iterator[Wanted]:
    policy = here.qos
    if policy is None:
        return
    number = partial(meter_number, here.number)
    limits = {
        direction: list(meters(policy, direction, here.frame, number) if here.can_limit else ())
        for direction in ("egress", "ingress")
    }
    for made in limits.values():
        yield from made
    yield from _sent(here, policy, [Meter(meter.id) for meter in limits["egress"]])
    yield from _received(here, [Meter(meter.id) for meter in limits["ingress"]])
    yield from _guarantees(here, policy)


def unmet(here: LocalPort) -> str:
    """What of the policy this node cannot do, as a sentence; empty when it does all of it."""
    policy = here.qos
    if policy is None:
        return ""
    reasons = []
    if not here.can_limit and (policy.bandwidth_limits or policy.packet_rate_limits):
        reasons.append("QoS limits are not in effect: the datapath of this node has no meters")
    if policy.minimum_bandwidths and here.network.way_out:
        nic = here.uplink_nic
        why = nic.problem if nic else f"uplink_bandwidths of this node has no {here.network.way_out}"
        if why:
            reasons.append(f"minimum bandwidth is not in effect: {why}")
    return "; ".join(reasons)


def largest_frame(mtu: int, datapath_type: str) -> int:
    """In bytes, as a meter sees it.  The kernel's datapath gets what a VM leaves to its NIC to cut, as one."""
    return mtu + ETHERNET if datapath_type == "netdev" else max(mtu + ETHERNET, UNCUT)


def meters(policy: QosPolicy, direction: str, frame: int, number: Callable[[Limit], int]) -> Iterator[DropMeter]:
    """direction: as the VM sees it.  frame: the largest, in bytes.  A rate of 0 is none: no limit, as Neutron's agent
    has it."""
    frame = -(-frame * 8 // 1000)  # in kilobits: with less it would never pass
    upward = direction == "egress"
    for bandwidth in policy.bandwidth_limits:
        if bandwidth.direction == direction and bandwidth.max_kbps:
            limit = Limit.EGRESS_BANDWIDTH if upward else Limit.INGRESS_BANDWIDTH
            yield _meter(number(limit), "kbps", bandwidth.max_kbps, bandwidth.max_burst_kbps, frame)
    for packets in policy.packet_rate_limits:
        if packets.direction == direction and packets.max_kpps:
            limit = Limit.EGRESS_PACKETS if upward else Limit.INGRESS_PACKETS
            yield _meter(number(limit), "pktps", packets.max_kpps * 1000, packets.max_burst_kpps * 1000, 1)


def _meter(number: int, unit: Unit, rate: int, burst: int, least: int) -> DropMeter:
    share, of = DEFAULT_BURST
    burst = max(burst or rate * share // of, least)
    return DropMeter(id=number, unit=unit, rate=min(rate, MOST), burst=min(burst, MOST))


def _sent(here: LocalPort, policy: QosPolicy, meters: list[Action]) -> Iterator[Wanted]:
    owner, table = cookie(Reason.PORT_QOS, here.port.id), INT["egress_qos"]
    onward = INT["source_mac"].goto
    if meters:
        yield table.flow(10, owner, {IN_PORT: here.number}, *meters, onward)
    if policy.dscp_mark is not None:
        mark = SetField("ip_dscp", policy.dscp_mark)
        for eth_type in (ETH_IPV4, ETH_IPV6):
            yield table.flow(20, owner, {IN_PORT: here.number, "eth_type": eth_type}, *meters, mark, onward)


def _received(here: LocalPort, meters: list[Action]) -> Iterator[Wanted]:
    if meters:
        owner, is_it = cookie(Reason.PORT_QOS, here.port.id), {OUT_PORT: here.number}
        yield INT["ingress_qos"].flow(10, owner, is_it, INT["ingress_limit"].apart)
        yield INT["ingress_limit"].flow(10, owner, is_it, *meters, INT["deliver"].goto)


def _guarantees(here: LocalPort, policy: QosPolicy) -> Iterator[Wanted]:
    nic = here.uplink_nic
    for minimum in policy.minimum_bandwidths:
        if nic is not None and minimum.direction == "egress" and minimum.min_kbps:
            yield Guarantee(
                interface=nic.interface, mac=mac(here.port.mac_address), offset=nic.mac_offset, kbps=minimum.min_kbps
            )


def mac_offset(network_type: str, ip_version: int) -> int:
    """Where a VM's MAC stands in a frame that leaves the node."""
    if network_type not in TUNNELLED:
        return _SOURCE_MAC
    return _ETHERNET_HEADER + _IP_HEADER[ip_version] + _TUNNEL_HEADER[network_type] + _SOURCE_MAC


QOS = Service("qos", port=port)
