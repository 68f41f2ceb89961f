"""Every metric that there is: name, kind, labels, meaning.  docs/metrics.md is made of it.

Labels have few values: nodes, bridges, tables, kinds, states; never a port, a network, a router or a user.
"""

from typing import Final

from netweft.metrics.values import Metric

_REQUEST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WIRING: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

REQUEST_SECONDS: Final = Metric(
    "netweft_server_request_seconds",
    "histogram",
    "From a request's arrival to the end of its answer, its wait for its turn included; resource is the path without "
    "ids, `none` where there is no such path",
    ("resource", "method", "status"),
    _REQUEST,
)
CONNECTIONS: Final = Metric(
    "netweft_server_connections",
    "gauge",
    "Open connections; of `clients` of the API, and of `nodes` and `pages` of the dashboard whose token is known",
    ("of",),
)
REFUSED: Final = Metric(
    "netweft_server_connections_refused_total", "counter", "Connections refused or ended, by why", ("reason",)
)
WAITING: Final = Metric(
    "netweft_server_database_waiting",
    "gauge",
    "Work that waits for its turn: `short` reads, `writes`, `lists` (with PostgreSQL all that requests do), `nodes` "
    "(with PostgreSQL what nodes tell)",
    ("work",),
)
DATABASE_UP: Final = Metric(
    "netweft_server_database_up", "gauge", "1: the database has answered during this scrape", ("database",)
)
DATABASE_ERRORS: Final = Metric(
    "netweft_server_database_errors_total",
    "counter",
    "Transactions that failed by the database: `busy`, others were in the way, tried again where that can help; "
    "`fault`, all else",
    ("database", "kind"),
)
DATABASE_REVISION: Final = Metric("netweft_server_database_revision", "gauge", "The change log's newest revision")
FEED_REVISION: Final = Metric(
    "netweft_server_feed_revision", "gauge", "The newest revision that this server's feed has read"
)
FEED_SESSION: Final = Metric(
    "netweft_server_feed_session",
    "gauge",
    "1: the node has its session with this server; 0: it had, within the last two minutes",
    ("node",),
)
LAG_REVISIONS: Final = Metric(
    "netweft_server_feed_lag_revisions",
    "gauge",
    "How many revisions the newest change that waits to be sent to the node is ahead of what it was sent last; 0: "
    "nothing waits, or nothing was sent yet",
    ("node",),
)
LAG_SECONDS: Final = Metric(
    "netweft_server_feed_lag_seconds",
    "gauge",
    "For how long the oldest change that waits to be sent to the node has waited; 0: nothing waits",
    ("node",),
)
NODE_ALIVE: Final = Metric(
    "netweft_server_node_alive",
    "gauge",
    "1: the node has reported to any server within agent_down_seconds; by the database, so the same at each server",
    ("node",),
)
CHECKS: Final = Metric(
    "netweft_server_checks",
    "gauge",
    "Saved checks (`netweft check`) of all projects, by how they are: `passing`, `failing`, `unknown`, `pending`; by "
    "the database, so the same at each server",
    ("status",),
)

SERVER: Final = (
    REQUEST_SECONDS,
    CONNECTIONS,
    REFUSED,
    WAITING,
    DATABASE_UP,
    DATABASE_ERRORS,
    DATABASE_REVISION,
    FEED_REVISION,
    FEED_SESSION,
    LAG_REVISIONS,
    LAG_SECONDS,
    NODE_ALIVE,
    CHECKS,
)

SESSION: Final = Metric("netweft_agent_feed_session", "gauge", "1: the agent has its session with a server")
VIEW_REVISION: Final = Metric(
    "netweft_agent_view_revision",
    "gauge",
    "The newest revision that the agent has received; others' changes are not sent",
)
IN_PLACE: Final = Metric(
    "netweft_agent_in_place", "gauge", "1: all that this node should have is there, and nothing is in error"
)
PORTS: Final = Metric(
    "netweft_agent_ports",
    "gauge",
    "Ports plugged in here: `up`, `down`, `error`, or `waiting`, of which nothing is known yet",
    ("state",),
)
WIRING_SECONDS: Final = Metric(
    "netweft_agent_wiring_seconds",
    "histogram",
    "Until a port is ACTIVE, as the agent reports it: since it was seen `plugged` in, and since the agent was "
    "notified that it is `bound` to this node",
    ("since",),
    _WIRING,
)
BRIDGE_CONNECTED: Final = Metric(
    "netweft_agent_bridge_connected", "gauge", "1: the bridge answers, or is left alone for good reason", ("bridge",)
)
BRIDGE_SESSIONS: Final = Metric(
    "netweft_agent_bridge_sessions_total", "counter", "How often the agent has connected to the bridge", ("bridge",)
)
FLOWS: Final = Metric(
    "netweft_agent_flows",
    "gauge",
    "Flows of ours on the bridge, by table; of one that carries nothing and is left alone, none",
    ("bridge", "table"),
)
FLOWS_REFUSED: Final = Metric(
    "netweft_agent_flows_refused", "gauge", "Objects of which the bridge refuses a flow", ("bridge",)
)
DROPPED: Final = Metric(
    "netweft_agent_dropped_packets_total",
    "counter",
    "Packets that ended in a flow of ours that leads nowhere; reason: the flow's, as in its cookie; `pipeline` is what "
    "no other flow of the table took",
    ("bridge", "table", "reason"),
)
HANDED_UP: Final = Metric(
    "netweft_agent_handed_up_total",
    "counter",
    "Packets that flows sent to the agent (packet-in), by kind",
    ("asked",),
)
ANSWERS: Final = Metric(
    "netweft_agent_answers_total", "counter", "Packets that the agent sent in answer to these (packet-out)", ("asked",)
)
UNHEARD: Final = Metric(
    "netweft_agent_unheard_total",
    "counter",
    "Of these, not answered: `too much` came from one port or router (its limit), or answering `failed`",
    ("asked", "why"),
)
METADATA_ANSWERS: Final = Metric(
    "netweft_agent_metadata_answers_total", "counter", "Answers of the metadata service to VMs", ("status",)
)
METADATA_CONNECTIONS: Final = Metric(
    "netweft_agent_metadata_connections", "gauge", "Open connections of VMs to the metadata service"
)
METADATA_REFUSED: Final = Metric(
    "netweft_agent_metadata_refused_total", "counter", "VMs' connections to the metadata service that were not let in"
)
DNS_QUERIES: Final = Metric(
    "netweft_agent_dns_queries_total",
    "counter",
    "VMs' queries for names: `answered` here, `forwarded` to the settings' name servers, or `unheard`: no query, or too"
    " many of one port",
    ("outcome",),
)
MEMBERS: Final = Metric(
    "netweft_agent_members",
    "gauge",
    "Members of load balancers that this node probes: `online`, `error`, `unknown` (none of their answers has come "
    "yet)",
    ("status",),
)
MEMBERS_ASKED: Final = Metric(
    "netweft_agent_members_asked_total", "counter", "Probes of health monitors, by whether all was `well`", ("answer",)
)
STT_FRAMES: Final = Metric(
    "netweft_agent_stt_frames_total",
    "counter",
    "Frames that STT's carrier has `sent` to other nodes and `received` from them, however many packets each takes, "
    "since it was started",
    ("direction",),
)
STT_DROPPED: Final = Metric(
    "netweft_agent_stt_dropped_total",
    "counter",
    "Frames and packets that STT's carrier has dropped, by why, since it was started: `no_network_out`, "
    "`no_network_in` (the key is no network's here), `strangers` (packets of who is no node with a network in common), "
    "`no_peer`, `unresolved` (no neighbour), `too_long`, "
    "`send_failed`, `malformed`, `bad_checksum`, `overlaps`, `expired` (segments were lost), `no_memory`, "
    "`ce_dropped` (RFC 6040), `deliver_failed`",
    ("reason",),
)
STT_STARTS: Final = Metric(
    "netweft_agent_stt_starts_total", "counter", "How often this agent has started STT's carrier"
)
TRACKED: Final = Metric(
    "netweft_agent_tracked_connections",
    "gauge",
    "Connections that this node's conntrack has, as of its last look, 2 to 10 s ago",
)
MOST_TRACKED: Final = Metric(
    "netweft_agent_tracked_connections_most", "gauge", "That it may have; on the kernel's datapath with the host's own"
)
ZONE_LIMIT: Final = Metric(
    "netweft_agent_conntrack_zone_limit",
    "gauge",
    "That one network, or one router's NAT, may have of them; 0: no limit, for Open vSwitch takes none, or it is the "
    "kernel's conntrack, and less than half full",
)
CROWDED: Final = Metric(
    "netweft_agent_crowded",
    "gauge",
    "Networks and routers that have as many connections as they may: new ones are refused",
    ("kind",),
)
GATEWAYS: Final = Metric(
    "netweft_agent_gateways",
    "gauge",
    "Routers' gateways that this node may have: `here`, `asking` (about to be taken), `elsewhere`, `nowhere`",
    ("state",),
)
GATEWAYS_TAKEN: Final = Metric(
    "netweft_agent_gateways_taken_total", "counter", "Gateways that this node has taken, from others or as the first"
)
GATEWAYS_LEFT: Final = Metric(
    "netweft_agent_gateways_left_total", "counter", "Gateways that this node has left to others"
)
WATCHED_NODES: Final = Metric(
    "netweft_agent_watched_nodes",
    "gauge",
    "BFD sessions with nodes that are watched for their gateways: `there`, `cut` (its way outside is), `deaf` (does "
    "not hear this one), `gone`, `unknown` (has not been up yet)",
    ("state",),
)
WAYS_CUT: Final = Metric(
    "netweft_agent_ways_outside_cut", "gauge", "Physical networks on the way outside whose NIC has no carrier"
)
BFD_NEXT_HOPS: Final = Metric(
    "netweft_agent_next_hop_bfd_sessions", "gauge", "BFD sessions with next hops of default routes", ("state",)
)
NEXT_HOPS: Final = Metric(
    "netweft_agent_next_hops",
    "gauge",
    "Next hops of routes that have several, probed by ARP or neighbour discovery: `answers` or `silent`",
    ("state",),
)

AGENT: Final = (
    SESSION,
    VIEW_REVISION,
    IN_PLACE,
    PORTS,
    WIRING_SECONDS,
    BRIDGE_CONNECTED,
    BRIDGE_SESSIONS,
    FLOWS,
    FLOWS_REFUSED,
    DROPPED,
    HANDED_UP,
    ANSWERS,
    UNHEARD,
    METADATA_ANSWERS,
    DNS_QUERIES,
    METADATA_CONNECTIONS,
    METADATA_REFUSED,
    MEMBERS,
    MEMBERS_ASKED,
    STT_FRAMES,
    STT_DROPPED,
    STT_STARTS,
    TRACKED,
    MOST_TRACKED,
    ZONE_LIMIT,
    CROWDED,
    GATEWAYS,
    GATEWAYS_TAKEN,
    GATEWAYS_LEFT,
    WATCHED_NODES,
    WAYS_CUT,
    BFD_NEXT_HOPS,
    NEXT_HOPS,
)
