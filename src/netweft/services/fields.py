"""Every register, mark, conntrack zone and cookie segment by name.  Nothing else in the agent spells out bits.

Registers on the integration bridge (cleared by Open vSwitch at each patch port):

    reg0  LOCAL_VLAN  the network the frame travels in, 1..4094
    reg1  OUT_PORT    the logical port the frame is about to leave through
    reg2  IN_PORT     the logical port the frame came in through
    reg3  GROUP       the security group whose rules are evaluated, by its number on this node
    reg3  POOL        the load balancer's pool that a member is chosen from, by its number
    reg3  POLICY      the firewall policy or address group that is evaluated, by its number on this node; or
                      the port whose firewall's verdict is logged
    reg3  METERED     the metering label whose rules are evaluated, by its number on this node << 1 | whether out
    reg4  PERMITTED   1: a rule of one of the groups lets the frame pass, and no firewall has refused it; 2 (REJECTED):
                      one has, and its sender gets an error
    reg5  FLOODED     bit 0: guarded ports get the frame whose rules may differ; bit 1: and they are a crowd
    reg6  CLAIMED_HIGH, reg7 CLAIMED_LOW   the MAC that ARP or neighbour discovery names inside the frame
    reg6  ANSWERED    of what a router answers itself: the requester's logical port; guarded ones have a number that no
                      16 bits of a MAC are
    reg7  MEMBERS     in which of the policy's address groups the packet's ends are: a bit for each; bit 31: in the one
                      that is evaluated; bit 30: not refused before the policy was evaluated
    reg8  TRIAL       bit 0: a packet of the agent's, judged like any other and given to nobody; bit 1: and remembered;
                      bit 2 (ANSWER): an answer, as the network that it started in knows; bit 3 (SAID): what a
                      firewall says of what it rejects, which no mark of the connection stops
    reg9  PIECE       bit 0: went through conntrack as a fragment; of those from and to forwarded ports
                      and to VIPs bit 1: the agent has given it back; of the former bit 2: it leaves
    reg10 ROUTER      the router that the packet is in, by its number on this node
    reg11 HANDED_UP   why the agent gets the packet (Why); 0 while nobody has said
    reg12 .. reg15    NEXT_HOP, the address that the packet is sent to next; IPv4 in reg15 alone
    reg12 SLOT        which of a pool's slots a new connection has
    metadata          ORIGIN, the conntrack zone of what is balanced for who is in the network that the frame came in
                      by; bit 16: looked up as a member's answer; bit 17: likewise, as it leaves for outside;
                      bit 18: a physical host sent it to a VIP; bit 19: another node returned a member's answer to one;
                      bit 20: looked up as balanced by another node

A logical port is an OpenFlow port together with the 802.1Q tag that its frames have there, 0 for none: the ports of a
VLAN-aware VM share an interface.  Written `ofport | vlan << 16`, and `| 1 << 28` (GUARDED) when port security is on, or
`| 1 << 29` (TRACKED) when it is off and there is a firewall: the port's own, or a router's on its network.

Conntrack zones: a network's zone is its local VLAN (1..4094); 4095 is the metadata service's; from 4096 up they are
routers'; what is balanced for a network's clients is in 32768 + its local VLAN, and fragments from and to forwarded
ports are in 32768 + their gateway's zone.  What another node has balanced for physical hosts is in 61440 + the
network's local VLAN.
ct_mark says which side refuses a connection, since rules that allowed it are gone, the client's or the server's.  Its
replies are dropped, too:

     31                         2        1             0
    ┌────────────────────────────┬─────────────┬─────────────┐
    │ one of those who share the │ CLIENT_SIDE │ SERVER_SIDE │    ENDED: both
    │ address: a bit for a port  │             │             │
    └────────────────────────────┴─────────────┴─────────────┘

In zones of fragments it says which port counts, where conntrack gives fragments back, whose ports nobody sees:

     31                  18      17         16     15          0
    ┌──────────────────────┬──────────┬─────────┬──────────────┐
    │           –          │ PORT_OUT │ PORT_IN │ its number   │
    └──────────────────────┴──────────┴─────────┴──────────────┘

In zones of what is balanced it says the local VLAN of the VIP's network.

ct_label says, in zone 4095, which client the metadata service answers (of an IPv6 address its first 32 bits):

     127          96 95       80 79               48 47             0
    ┌───────────────┬───────────┬───────────────────┬────────────────┐
    │ its address   │     –     │ logical port      │ MAC            │
    └───────────────┴───────────┴───────────────────┴────────────────┘

In zones of what is balanced it says, of a physical host's connection, to whose MAC its answers go: on the node that
answers for the VIP that host's, on the member's node that of the other one (services/lb/on_wire):

     127                            49      48   47             0
    ┌─────────────────────────────────┬─────────┬────────────────┐
    │                –                │ ON_WIRE │ MAC            │
    └─────────────────────────────────┴─────────┴────────────────┘

pkt_mark, and on other bridges ct_label, are set by nobody.  The flows of an epoch look at bits of them, each bridge at
its own, to have the cache emptied when they move (docs/decisions/0125):

                         31           24 23          16 15           0
                        ┌───────────────┬──────────────┬──────────────┐
    pkt_mark            │       –       │     tun      │     int      │
                        └───────────────┴──────────────┴──────────────┘
     127          120                    15           8 7            0
    ┌────────────────┬──────────────────┬──────────────┬──────────────┐
    │ 16th phys      │        …         │   2nd phys   │   1st phys   │    ct_label
    └────────────────┴──────────────────┴──────────────┴──────────────┘

Meter, 32 bits, the number says whose it is and what it limits, so nothing has to be remembered:

    31 30 29                     2 1      0
    ┌────┬────────────────────────┬────────┐
    │ 10 │ logical port           │ LIMITS │
    ├────┼────────────────────────┼────────┤
    │ 11 │ first 27 bits of the   │ LIMITS │    of a floating IP, or of a router for its gateway's address
    │    │ object's UUID          │        │
    └────┴────────────────────────┴────────┘

The meters of a router's gateway stand where no port's can: no OpenFlow port has a number from 0xff00 up.

    31 30 29            18 17      10 9             2 1      0
    ┌────┬────────────────┬──────────┬───────────────┬────────┐
    │ 10 │ upper bits of  │   0xff   │ middle bits   │ lower  │    zone << 4 | ROUTER_LIMIT
    └────┴────────────────┴──────────┴───────────────┴────────┘

Cookie, 64 bits, on every flow of ours:

    63      48 47    40 39                 0
    ┌─────────┬────────┬────────────────────┐
    │  MARK   │ reason │ first 40 bits of   │
    │  0x4e57 │        │ the object's UUID  │
    └─────────┴────────┴────────────────────┘
"""

import hashlib
from enum import IntEnum
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_QINQ, ETH_VLAN, VLAN_PRESENT

LOCAL_VLAN: Final = "reg0"
OUT_PORT: Final = "reg1"
IN_PORT: Final = "reg2"
GROUP: Final = "reg3"
METERED: Final = GROUP
POOL: Final = GROUP
POLICY: Final = GROUP
PERMITTED: Final = "reg4"
FLOODED: Final = "reg5"
CLAIMED_HIGH: Final = "reg6"
CLAIMED_LOW: Final = "reg7"
ANSWERED: Final = CLAIMED_HIGH
MEMBERS: Final = CLAIMED_LOW
TRIAL: Final = "reg8"
PIECE: Final = "reg9"
ROUTER: Final = "reg10"
HANDED_UP: Final = "reg11"
NEXT_HOP: Final = ("reg12", "reg13", "reg14", "reg15")
ONE_OF_MANY: Final = 1
CROWD: Final = 2
SLOT: Final = NEXT_HOP[0]
ORIGIN: Final = "metadata"
ASKED_BACK: Final = 1 << 16
LEAVING: Final = 1 << 17
FROM_WIRE: Final = 1 << 18
RETURNED: Final = 1 << 19
LED_HERE: Final = 1 << 20
JUDGED: Final = 1
REMEMBERED: Final = 2
ANSWER: Final = 4
SAID: Final = 8
PERMIT: Final = 1
REJECTED: Final = 2
TAG_SHIFT: Final = 16  # where the tag of a logical port begins
TAG_BITS: Final = 12
GUARDED: Final = 1 << 28
TRACKED: Final = 1 << 29
SERVER_SIDE: Final = 1
CLIENT_SIDE: Final = 2
ENDED: Final = SERVER_SIDE | CLIENT_SIDE
TRACKED_PIECE: Final = 1
GIVEN_BACK: Final = 2
LEAVES: Final = 4
PORT_IN: Final = 1 << 16  # the port that it is for
PORT_OUT: Final = 1 << 17  # the port that it is from
SHARING_SHIFT: Final = 2  # where the bits of those begin who share an address
SHARING_BITS: Final = 30
NOBODY: Final = bytes(6)  # the MAC of who is on another node, where only this node matters
AGENT: Final = 0x4E57  # the controller id that our agent takes: frames for it reach no other controller

# added to the zone of a network: connections of its clients to VIPs.  Below all of PIECES_ZONE's: those begin at 4096
BALANCED_ZONE: Final = 1 << 15
LED_ZONE: Final = 0xF000  # likewise: of what another node has balanced for physical hosts.  Above all of PIECES_ZONE's
ON_WIRE_AT: Final = 48  # in ct_label
ON_WIRE: Final = 1 << ON_WIRE_AT
PIECES_ZONE: Final = 1 << 15  # added to the zone of a gateway: where fragments for forwarded ports are collected
OUR_METERS: Final = 1 << 31  # a meter is ours when number & METERS_MASK == OUR_METERS
METERS_MASK: Final = 1 << 31
_OUTSIDE_METERS: Final = 1 << 30  # Open vSwitch takes no number above 0xffff0000: of an id there are 27 bits
_OUTSIDE_BITS: Final = 27

# by a bridge's role: where the epoch's number begins in which field, and its bits; its complement comes above it
EPOCH_BITS: Final = {"int": ("pkt_mark", 0, 8), "tun": ("pkt_mark", 16, 4), "phys": ("ct_label", 0, 4)}
EPOCH_PLACES: Final = {"int": 1, "tun": 1, "phys": 16}  # how many bridges of that role have bits of their own

UNTAGGED: Final = 0  # vlan_vid of a frame without an 802.1Q tag
ANY_TAG: Final = (VLAN_PRESENT, VLAN_PRESENT)  # of a frame with one, value and mask
# of a frame whose outer tag is off, and that has one more: Open vSwitch shows it as a tag, or as what the frame
# carries, as `vlan-limit` has it
SECOND_TAGS: Final = ({"vlan_vid": ANY_TAG}, {"eth_type": ETH_VLAN}, {"eth_type": ETH_QINQ})

MARK: Final = 0x4E57
OURS: Final = MARK << 48  # a cookie is ours when cookie & OURS_MASK == OURS
OURS_MASK: Final = 0xFFFF << 48
REASON_MASK: Final = 0xFF << 40
OBJECT_BITS: Final = 40
OBJECT_MASK: Final = (1 << OBJECT_BITS) - 1


def tagged(vlan: int) -> int:
    """What vlan_vid says of a frame with this 802.1Q tag."""
    return VLAN_PRESENT | vlan


def logical_port(ofport: int, vlan: int = 0, *, guarded: bool = False, tracked: bool = False) -> int:
    """tracked: whatever the port's security says."""
    return ofport | vlan << TAG_SHIFT | (GUARDED if guarded else TRACKED if tracked else 0)


def refusal(port_id: str) -> int:
    """The bit of ct_mark for a port that shares an address.  Two that share one may have the same: one in 30."""
    return 1 << SHARING_SHIFT + object_bits(port_id) % SHARING_BITS


class Limit(IntEnum):
    """What a meter limits: what the VM sends (egress) or receives (ingress), bandwidth or packets."""

    EGRESS_BANDWIDTH = 0
    EGRESS_PACKETS = 1
    INGRESS_BANDWIDTH = 2
    INGRESS_PACKETS = 3


def meter_number(logical_port: int, limit: Limit) -> int:
    return OUR_METERS | (logical_port & ~(GUARDED | TRACKED)) << 2 | limit


def outside_meter(object_id: str, limit: Limit) -> int:
    """Of a floating IP's or a gateway's address.  Two on a node that have the same number would share it: one pair in
    134 million."""
    return OUR_METERS | _OUTSIDE_METERS | object_bits(object_id) >> OBJECT_BITS - _OUTSIDE_BITS << 2 | limit


def rejecting_meter(port_id: str) -> int:
    """Of what the agent says for firewalls about packets from or to a port: numbered as `outside_meter`."""
    return outside_meter(port_id, Limit.EGRESS_PACKETS)


def logging_meter(port_id: str) -> int:
    """Of what is logged of a port's firewall."""
    return outside_meter(port_id, Limit.INGRESS_PACKETS)


def logged_port(port_id: str, *, of_groups: bool = False) -> int:
    """By which number (POLICY) the log's table knows the port: of 32 bits.  of_groups: its security groups."""
    number = object_bits(port_id) & 0xFFFFFFFF
    return (number ^ 0xFFFFFFFF if of_groups else number) or 1


class RouterLimit(IntEnum):
    """What a router's meter limits, of what comes from outside but where it says otherwise.  A network that is routed
    has meters of some of these kinds, too, for hosts in it that the database does not know."""

    NEIGHBOURS = 0  # ARP and ND announcements of addresses
    NEXT_HOPS = 1  # likewise, of those that routes lead to
    SOLICITED = 2  # neighbour discovery for its own addresses
    UNDELIVERED_FROM_OUTSIDE = 3
    UNDELIVERED_FROM_NODES = 4  # for which this one has the gateway
    ERRORS_IN = 5  # ICMP's, to floating IPs, and about what NAT66 has translated
    ERRORS_OUT = 6  # likewise from inside
    ASKED_FOR = 7  # ARP for its own addresses
    PINGED = 8  # its own addresses
    BFD = 9  # of its next hops
    PIECES = 10  # from and to forwarded ports, of connections that conntrack does not know; from inside, too
    LOGGED = 11  # of all firewalls; the zone is nobody's
    REJECTED = 12  # by routers' firewalls between two routers, or of hosts on a wire


def router_meter_number(zone: int, limit: RouterLimit) -> int:
    """zone: the conntrack zone of its NAT here, or a network's."""
    number = zone << 4 | limit
    return meter_number((number >> 10) << TAG_SHIFT | 0xFF00 | number >> 2 & 0xFF, Limit(number & 3))


class Reason(IntEnum):
    """Why a flow is there, and of what kind the object in its cookie is.  Numbers stay for ever: switches hold them."""

    PIPELINE = 1  # no object: what every node has
    EPOCH = 2  # likewise
    METADATA = 3  # likewise
    PORT_CLASSIFY = 16
    PORT_SECURITY = 17
    PORT_NEIGHBOUR = 18
    PORT_SWITCHING = 19
    PORT_DELIVERY = 20
    PORT_GROUPS = 21
    PORT_QOS = 22
    PORT_DHCP = 23
    PORT_NEXT_HOP = 24
    PORT_METADATA = 25
    PORT_DNS = 26
    PEER_NEIGHBOUR = 32
    PEER_SWITCHING = 33
    PEER_TUNNEL = 34
    PEER_NEXT_HOP = 35
    PEER_DHCP = 36
    NETWORK_FLOOD = 48
    NETWORK_TUNNEL = 49
    NETWORK_PHYSICAL = 50
    NETWORK_DHCP = 51
    NETWORK_NEIGHBOUR = 52
    NETWORK_LEARNED = 53
    NETWORK_ADVERTISE = 54
    NETWORK_CLAIM = 55
    RULE_PERMIT = 64
    GROUP_REMOTE = 65
    ADDRESS_REMOTE = 66
    ROUTER_INTERFACE = 80
    ROUTER_ROUTE = 81
    ROUTER_NEIGHBOUR = 82
    ROUTER_HAND_UP = 83
    ROUTER_GATEWAY = 85
    ROUTER_RESOLVE = 86
    ROUTER_FLOATING_IP = 87
    ROUTER_SCOPE = 88
    ROUTER_ERROR_IN = 89
    ROUTER_ERROR_OUT = 90
    ROUTER_ANSWERS = 92
    ROUTER_TAKEOVER = 93
    ROUTER_BFD = 94
    FORWARDING_PORTS = 96
    FLOATING_ADDRESS = 97
    ROUTER_LIMIT = 98
    ROUTER_PASSES = 104
    METERING_IN = 105
    METERING_OUT = 106
    METERING_EXCLUDED = 107
    FORWARDING_BACK = 108
    FLOATING_ANSWERS = 109
    FLOATING_TAKEOVER = 110
    ROUTER_NAT66_IN = 111
    ROUTER_NAT66_OUT = 112
    ROUTER_PIECES_IN = 113
    ROUTER_PIECES_OUT = 114
    BALANCER_VIP = 120
    LISTENER_VIP = 121
    POOL_METHOD = 122
    MEMBER_SLOTS = 123
    MEMBER_ANSWERS = 124
    MEMBER_PROBE = 126
    LISTENER_ANSWERS = 128
    BALANCER_PIECES = 129
    LISTENER_PROXY = 127
    FIREWALL_RULE = 130
    PORT_REJECTED = 131
    ROUTER_FIREWALL = 132
    ADDRESS_FIREWALL = 133
    PORT_ACCEPTED = 134
    PORT_REFUSED = 135
    PORT_GROUPS_ACCEPTED = 136
    PORT_GROUPS_REFUSED = 137
    NETWORK_REJECTED = 138

    @property
    def kind(self) -> str:
        """The object's kind, as the name begins: `port`, `rule` (of a security group), ...; `` when there is none."""
        return "" if self in (Reason.PIPELINE, Reason.EPOCH, Reason.METADATA) else self.name.partition("_")[0].lower()


class Why(IntEnum):
    """Why a router hands a packet up to the agent: what HANDED_UP says."""

    TTL_EXCEEDED = 1
    NO_ROUTE = 2
    UNKNOWN_NEXT_HOP = 3
    NOT_LISTENING = 4  # for an address of the router's own, and nothing is there
    ANSWERED = 5  # no packet to be routed: an ARP or ND answer to the router's own request
    CLAIMED = 6  # likewise, to all: an address that an agent has requested
    IN_PIECES = 7  # an echo request to the router itself, reassembled from fragments
    TOO_BIG = 1 << 3  # for the network that it is routed into; one bit, which the datapath's answer is put into


class Owner(NamedTuple):
    """What a cookie says.  reason: None when a newer agent made it.  object: 10 hex digits, how the UUID begins."""

    reason: Reason | None
    object: str


def cookie(reason: Reason, object_id: str = "") -> int:
    return OURS | reason << OBJECT_BITS | object_bits(object_id)


def object_bits(object_id: str) -> int:
    """Of a UUID its first 40 bits, of any other id 40 bits of its hash, of none 0."""
    if not object_id:
        return 0
    digits = object_id.replace("-", "")[: OBJECT_BITS // 4]
    try:
        return int(digits.ljust(OBJECT_BITS // 4, "0"), 16)
    except ValueError:
        return int.from_bytes(hashlib.blake2s(object_id.encode(), digest_size=OBJECT_BITS // 8).digest(), "big")


def owner(cookie: int) -> Owner | None:
    """None: not ours."""
    if cookie & OURS_MASK != OURS:
        return None
    number = (cookie & REASON_MASK) >> OBJECT_BITS
    reason = Reason(number) if number in Reason._value2member_map_ else None
    return Owner(reason, f"{cookie & OBJECT_MASK:010x}")
