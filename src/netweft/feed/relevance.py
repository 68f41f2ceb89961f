"""Who needs what: the whole of it, as data.

A *topic* is something a node may follow: the ports of a host, what belongs to a network, ...  Each rule says that rows
of one kind stand in a topic, which object they give there, and to which further topics they lead whoever follows it:

    host(hv1) ── port ──▶ network(N) ── bound port ──▶ endpoint(hv2)
        gives Port, Trunk    gives Peer                   gives Node
              │              (NamedPort, if it is bound nowhere and has a name)
              │
              ├─ its network ──▶ floating(N)
              │                     gives FloatingAddress, which nobody may claim
              ├────────▶ wire(N) ── its policy ──▶ qos(Q)
              │             gives Network, Subnet     gives QosPolicy
              ├─ its policy ──▶ qos(Q)
              ├─ its groups ──▶ group(G) ── rules' far ends ──▶ members(R)           addresses(A)
              │                    gives SecurityGroup             gives GroupMember    gives AddressGroup
              │                    └─ its project ──▶ group_logs(P)
              └─ its firewall ──▶ firewall(F) ── policies ──▶ firewall_policy(P) ── rules ──▶ firewall_rule(U)
                 (also of an         gives FirewallGroup       gives FirewallPolicy            gives FirewallRule
                 interface)          └─ its project ──▶ firewall_logs(P)                       └─ ──▶ addresses(A)

    network(N) ── interface ──▶ router(R) ── its networks ──▶ network(M), wire(M)
                    gives RouterPort  gives Router, GatewayPort, PortForwarding
                     └─ ──▶ endpoint(the nodes that answer for it on a wire, or behind a VTEP)
                                     ├─ its project ──▶ metered(P), and metered(all)
                                     │                     gives MeteringLabel
                                     └─ its gateway ──▶ endpoint(the nodes that have it, or can take over)
    host(hv1) ── gateway, had or to be taken over ──▶ router(R), network(E), wire(E), behind(R) ──▶ floating_ip(F)
    host(hv1) ── interface, or VIP, that it answers for on a wire ──▶ router(R), network(N), wire(N)
    host(hv1) ── port ── what leads to it ──▶ floating_ip(F) ──▶ wire(E)    E: an external network
                                                gives FloatingIp

    network(N) ── a VIP's port, of a wire ──▶
                    gives VipPort
    network(N) ── VIP's network ──▶ balancer(B), group(G), qos(Q)
                    gives LoadBalancer  gives Listener, Pool, Member, HealthMonitor, L7Policy, L7Rule, Proxy

A port that is wired ahead on a host stands in that host's topic too, as do trunks wherever their port does.
A node starts at its own `host` topic and follows all topics that it can reach.  A new kind of object is one more rule
(or a few); what follows from it for loading, snapshots, deltas and their routing is worked out in `interest`.

One law: an object's key comes from one topic only at a time, so that leaving the topic takes the object away.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import structlog

from netweft.control.l2.hosts import TUNNELLED_TO
from netweft.control.l2.placing import AHEAD
from netweft.control.l3.associations import LEADING
from netweft.feed import objects
from netweft.feed.objects import WAY, Row, Way
from netweft.model import Object
from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.model.load_balancer import LOAD_BALANCER, NETWORK
from netweft.model.metering import METERED, SHARED
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON, GATEWAY_HOSTS, NETWORKS

RowKey: TypeAlias = tuple[str, str]  # kind and id, in the store's words

log = structlog.get_logger(__name__)


class Topic(NamedTuple):
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `kind` stand in the topic that their attribute `by` names (none if it is empty).

    Attributes are named as in the store's queries: `groups[]` is each value of a list, `rules.group` that of each
    object in a list.  By `groups[]` a row stands in several topics, in each as if that one were all of the list.
    gives: the object, WAY if the row only leads further, or None if it has nothing to do here.
    leads: (topic, the attribute that has its id; EVERY: the one that all such rows lead to).
    not_for: the attribute that names a node which does not need this object, because it has a better one.
    """

    topic: str
    kind: str
    by: str
    gives: Callable[[Row], Object | Way | None]
    leads: Sequence[tuple[str, str]] = ()
    not_for: str = ""


_OF_A_PORT = (
    *(("network", "network_id"), ("wire", "network_id"), ("group", "security_groups[]"), ("qos", "qos_policy_id")),
    *(("floating", "network_id"), ("floating_ip", f"{LEADING}[]"), ("firewall", FIREWALL_GROUP)),
)
_OF_AN_INTERFACE = (("router", "device_id"), ("network", "network_id"), ("wire", "network_id"))
_OF_A_GATEWAY = (*_OF_AN_INTERFACE, ("behind", "device_id"))
EVERY = "*"
FLOATING_ON, BEHIND = "floating_network_id", "router_id"  # links of floating IPs
AHEAD_ON = f"{AHEAD}.binding:host_id"
ANSWERS_IN = f"{ANSWERS_HOSTS}[]"
GATEWAY_ON = f"{GATEWAY_HOSTS}[]"
RULES = (
    Rule("host", "ports", by="binding:host_id", gives=objects.port, leads=_OF_A_PORT),
    Rule("host", "ports", by=AHEAD_ON, gives=objects.port_ahead, leads=_OF_A_PORT),
    Rule("host", "trunks", by="binding:host_id", gives=objects.trunk),
    Rule("host", "trunks", by=AHEAD_ON, gives=objects.trunk),
    Rule("wire", "networks", by="id", gives=objects.network, leads=[("qos", "qos_policy_id")]),
    Rule("wire", "subnets", by="network_id", gives=objects.subnet),
    Rule(
        "network",
        "ports",
        by="network_id",
        gives=objects.peer,
        leads=[("endpoint", "binding:host_id"), ("endpoint", TUNNELLED_TO)],
        not_for="binding:host_id",
    ),
    Rule("network", "ports", by="network_id", gives=objects.named_port),
    Rule(
        "network",
        "ports",
        by="network_id",
        gives=objects.router_port,
        leads=[("router", "device_id"), ("firewall", FIREWALL_GROUP), ("endpoint", ANSWERS_IN)],
    ),
    Rule("network", "ports", by="network_id", gives=objects.vip_port),
    Rule("host", "ports", by="binding:host_id", gives=objects.gateway, leads=_OF_A_GATEWAY),
    Rule("host", "ports", by=GATEWAY_ON, gives=objects.gateway, leads=_OF_A_GATEWAY),
    Rule("host", "ports", by=ANSWERS_ON, gives=objects.answering, leads=_OF_AN_INTERFACE),
    Rule(
        "host",
        "ports",
        by=ANSWERS_IN,
        gives=objects.answering,
        leads=[*_OF_AN_INTERFACE, ("endpoint", ANSWERS_IN)],
    ),
    Rule(
        "router",
        "ports",
        by="device_id",
        gives=objects.gateway_port,
        leads=[("endpoint", "binding:host_id"), ("endpoint", GATEWAY_ON)],
    ),
    Rule("floating", "floatingips", by=FLOATING_ON, gives=objects.floating_address),
    Rule("behind", "floatingips", by=BEHIND, gives=objects.way, leads=[("floating_ip", "id")]),
    Rule(
        "floating_ip",
        "floatingips",
        by="id",
        gives=objects.floating_ip,
        leads=[("qos", "qos_policy_id"), ("wire", "floating_network_id")],
    ),
    Rule("router", "port_forwardings", by="device_id", gives=objects.port_forwarding),
    Rule(
        "router",
        "routers",
        by="id",
        gives=objects.router,
        leads=[
            *(("network", f"{NETWORKS}[]"), ("wire", f"{NETWORKS}[]"), ("qos", "qos_policy_id")),
            *(("metered", "project_id"), ("metered", EVERY)),
        ],
    ),
    Rule("metered", "metering_labels", by=METERED, gives=objects.metering_label),
    Rule(
        "network",
        "loadbalancers",
        by=NETWORK,
        gives=objects.load_balancer,
        leads=[("balancer", "id"), ("group", "vip_sg_ids[]"), ("qos", "vip_qos_policy_id")],
    ),
    *(
        Rule("balancer", kind, by=LOAD_BALANCER, gives=gives)
        for kind, gives in (
            *(("listeners", objects.listener), ("pools", objects.pool), ("members", objects.member)),
            *(("healthmonitors", objects.health_monitor), ("l7policies", objects.l7_policy)),
            ("l7rules", objects.l7_rule),
        )
    ),
    Rule("balancer", "ports", by=LOAD_BALANCER, gives=objects.proxy),
    Rule("endpoint", "agents", by="host", gives=objects.node, not_for="host"),
    Rule(
        "group",
        "security_groups",
        by="id",
        gives=objects.security_group,
        leads=[
            ("members", "security_group_rules.remote_group_id"),
            ("addresses", "security_group_rules.remote_address_group_id"),
            ("group_logs", "project_id"),
        ],
    ),
    Rule("members", "ports", by="security_groups[]", gives=objects.group_member),
    Rule("addresses", "address_groups", by="id", gives=objects.address_group),
    Rule(
        "firewall",
        "firewall_groups",
        by="id",
        gives=objects.firewall_group,
        leads=[
            *(("firewall_policy", f"{direction}_firewall_policy_id") for direction in ("ingress", "egress")),
            ("firewall_logs", "project_id"),
        ],
    ),
    Rule("firewall_logs", "logs", by="project_id", gives=objects.firewall_log),
    Rule("group_logs", "logs", by="project_id", gives=objects.group_log),
    Rule(
        "firewall_policy",
        "firewall_policies",
        by="id",
        gives=objects.firewall_policy,
        leads=[("firewall_rule", "firewall_rules[]")],
    ),
    Rule(
        "firewall_rule",
        "firewall_rules",
        by="id",
        gives=objects.firewall_rule,
        leads=[("addresses", SOURCE_ADDRESSES), ("addresses", DESTINATION_ADDRESSES)],
    ),
    Rule("qos", "policies", by="id", gives=objects.qos_policy),
)


class Entry(NamedTuple):
    """A row's part in one topic.  object: None where it only leads further."""

    topic: Topic
    object: Object | None
    leads: tuple[Topic, ...]
    not_for: str


class Reader(Protocol):
    """A query to the store: rows of a kind whose attribute has any of these values, in one snapshot."""

    def find(self, kind: str, by: str, values: Iterable[str]) -> Iterable[Row]: ...


class Rules:
    """The rules, looked up the two ways they are needed."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._by_kind: dict[str, list[Rule]] = {}
        self._by_topic: dict[str, list[Rule]] = {}
        for rule in rules:
            self._by_kind.setdefault(rule.kind, []).append(rule)
            self._by_topic.setdefault(rule.topic, []).append(rule)

    def concerns(self, kind: str) -> bool:
        return kind in self._by_kind

    def entries(self, kind: str, row: Row, topics: Container[Topic]) -> Iterator[Entry]:
        """In these topics.  A row that makes no sense is left out and logged: it must not cost others their feed."""
        for rule in self._by_kind[kind]:
            for id, place in _places(row, rule.by):
                topic = Topic(rule.topic, id)
                if topic not in topics:
                    continue
                try:
                    given = rule.gives(place)
                except (KeyError, TypeError, ValueError) as error:  # msgspec's errors are ValueErrors
                    log.error("row left out of the feed", kind=kind, id=row.get("id"), problem=repr(error))
                    continue
                if given is not None:
                    leads = [Topic(name, to) for name, attribute in rule.leads for to in _values(row, attribute)]
                    not_for = row[rule.not_for] if rule.not_for else ""
                    object = None if given is WAY else given
                    yield Entry(topic, object, tuple(dict.fromkeys(leads)), not_for)

    def load(self, reader: Reader, topics: Iterable[Topic]) -> Mapping[RowKey, Row]:
        """All rows of these topics, with as few questions as there are attributes that rules go by."""
        ids: dict[str, list[str]] = {}
        for topic in topics:
            ids.setdefault(topic.name, []).append(topic.id)
        return {
            (kind, row["id"]): row
            for name, wanted in ids.items()
            for kind, by in dict.fromkeys((rule.kind, rule.by) for rule in self._by_topic[name])
            for row in reader.find(kind, by, wanted)
        }


def _places(row: Row, by: str) -> Iterator[tuple[str, Row]]:
    """The topics' ids that the attribute names, and the row as it stands in each."""
    name, several, _ = by.partition("[]")
    for id in _values(row, by):
        yield id, {**row, name: [id]} if several else row


def _values(row: Row, attribute: str) -> Iterable[str]:
    """The ids that stand there; nothing for what is missing or empty."""
    if attribute == EVERY:
        return (SHARED,)
    name, several, _ = attribute.partition("[]")
    outer, inside, inner = attribute.partition(".")
    if several:
        found = row.get(name) or ()
    elif inside:
        found = [one.get(inner) for one in row.get(outer) or ()]
    else:
        found = [row.get(name)]
    return dict.fromkeys(filter(None, found))
