"""All forms of Neutron's security group rules, each with packets to try it, and what becomes of them."""

from typing import NamedTuple

from tests.netns.probes import ICMP, SCTP, TCP, UDP, Probe

GRE, ESP = 47, 50


class Remote(NamedTuple):
    """What rules name at the far end: the client's address, the subnet, groups of the client and of the receivers, and
    an address group with the client's addresses."""

    client: str
    subnet: str
    friends: str
    receivers: str
    addresses: str


class Try(NamedTuple):
    """what: for the table.  by: `client`, or `stranger`, whom no remote group, prefix or address group names."""

    what: str
    probe: Probe
    passes: bool
    by: str = "client"


class Form(NamedTuple):
    name: str
    rules: tuple[dict[str, object], ...]
    tries: tuple[Try, ...]
    egress: bool = False
    stateful: bool = True
    guarded: bool = True


def yes(what: str, probe: Probe, by: str = "client") -> Try:
    return Try(what, probe, True, by)


def no(what: str, probe: Probe, by: str = "client") -> Try:
    return Try(what, probe, False, by)


WEB, TLS, DNS = Probe(TCP, 80), Probe(TCP, 443), Probe(UDP, 53)
PORTS = {"port_range_min": 8000, "port_range_max": 8010}


def port_rule(protocol: str, number: int) -> dict[str, object]:
    return {"protocol": protocol, "port_range_min": number, "port_range_max": number}


def incoming(version: int, remote: Remote) -> list[Form]:
    """For what reaches the guarded port; the client sends."""
    echo, other_icmp = (8, 13) if version == 4 else (128, 139)
    ping, other_type = Probe(ICMP, echo), Probe(ICMP, other_icmp)
    icmp = "icmp" if version == 4 else "ipv6-icmp"
    everybody = "0.0.0.0/0" if version == 4 else "::/0"
    return [
        Form("no rule", (), (no("TCP", WEB), no("UDP", DNS), no("ping", ping))),
        Form("any protocol", ({},), (yes("TCP", WEB), yes("UDP", DNS), yes("ping", ping), yes("GRE", Probe(GRE)))),
        Form(
            "`tcp`, a port",
            (port_rule("tcp", 80),),
            (yes("TCP 80", WEB), no("TCP 443", TLS), no("UDP 80", Probe(UDP, 80))),
        ),
        Form("`6`, a port", (port_rule("6", 80),), (yes("TCP 80", WEB), no("TCP 443", TLS))),
        Form("`tcp`, any port", ({"protocol": "tcp"},), (yes("TCP 80", WEB), yes("TCP 443", TLS), no("UDP 53", DNS))),
        Form(
            "`tcp`, ports 8000 to 8010",
            ({"protocol": "tcp", **PORTS},),
            (
                no("TCP 7999", Probe(TCP, 7999)),
                yes("TCP 8000", Probe(TCP, 8000)),
                yes("TCP 8009", Probe(TCP, 8009)),
                yes("TCP 8010", Probe(TCP, 8010)),
                no("TCP 8011", Probe(TCP, 8011)),
            ),
        ),
        Form(
            "`udp`, a port",
            (port_rule("udp", 53),),
            (yes("UDP 53", DNS), no("UDP 54", Probe(UDP, 54)), no("TCP 53", Probe(TCP, 53))),
        ),
        Form(
            "`udp`, ports 8000 to 8010",
            ({"protocol": "udp", **PORTS},),
            (yes("UDP 8000", Probe(UDP, 8000)), yes("UDP 8010", Probe(UDP, 8010)), no("UDP 8011", Probe(UDP, 8011))),
        ),
        Form(
            "`sctp`, a port",
            (port_rule("sctp", 5000),),
            (yes("SCTP 5000", Probe(SCTP, 5000)), no("SCTP 5001", Probe(SCTP, 5001))),
        ),
        Form(f"`{icmp}`", ({"protocol": icmp},), (yes("ping", ping), no("TCP", WEB))),
        Form(
            f"`{icmp}`, a type",
            ({"protocol": icmp, "port_range_min": echo},),
            (yes("ping", ping), no("another type", other_type), no("TCP", WEB)),
        ),
        Form(
            f"`{icmp}`, another type",
            ({"protocol": icmp, "port_range_min": other_icmp},),
            (no("ping", ping),),
        ),
        Form(
            f"`{icmp}`, type and code",
            ({"protocol": icmp, "port_range_min": echo, "port_range_max": 0},),
            (yes("ping", ping), no("another type", other_type)),
        ),
        Form(
            f"`{icmp}`, another code",
            ({"protocol": icmp, "port_range_min": echo, "port_range_max": 1},),
            (no("ping", ping),),
        ),
        Form(
            "another protocol by number",
            ({"protocol": "47"},),
            (yes("GRE", Probe(GRE)), no("ESP", Probe(ESP)), no("TCP", WEB)),
        ),
        Form("another protocol by name", ({"protocol": "esp"},), (yes("ESP", Probe(ESP)), no("GRE", Probe(GRE)))),
        Form(
            "remote prefix, an address",
            ({"remote_ip_prefix": remote.client},),
            (yes("TCP", WEB), no("TCP", WEB, "stranger")),
        ),
        Form(
            "remote prefix and a port",
            ({"remote_ip_prefix": remote.client, **port_rule("tcp", 80)},),
            (yes("TCP 80", WEB), no("TCP 443", TLS), no("TCP 80", WEB, "stranger")),
        ),
        Form(
            "remote prefix, everybody",
            ({"remote_ip_prefix": everybody},),
            (yes("TCP", WEB), yes("TCP", WEB, "stranger")),
        ),
        Form(
            "remote group",
            ({"remote_group_id": remote.friends},),
            (yes("TCP", WEB), yes("ping", ping), no("TCP", WEB, "stranger")),
        ),
        Form(
            "remote group and a port",
            ({"remote_group_id": remote.friends, **port_rule("tcp", 80)},),
            (yes("TCP 80", WEB), no("TCP 443", TLS), no("TCP 80", WEB, "stranger")),
        ),
        Form(
            "remote address group",
            ({"remote_address_group_id": remote.addresses},),
            (yes("TCP", WEB), no("TCP", WEB, "stranger")),
        ),
        Form(
            "two rules",
            (port_rule("tcp", 80), {"remote_group_id": remote.friends, **port_rule("udp", 53)}),
            (
                yes("TCP 80", WEB),
                yes("UDP 53", DNS),
                no("TCP 443", TLS),
                yes("TCP 80", WEB, "stranger"),
                no("UDP 53", DNS, "stranger"),
            ),
        ),
        Form(
            "stateless group, a port", (port_rule("tcp", 80),), (yes("TCP 80", WEB), no("TCP 443", TLS)), stateful=False
        ),
        Form(
            "stateless group, remote group",
            ({"remote_group_id": remote.friends},),
            (yes("TCP", WEB), no("TCP", WEB, "stranger")),
            stateful=False,
        ),
        Form("port security off", (), (yes("TCP", WEB), yes("ping", ping), yes("GRE", Probe(GRE))), guarded=False),
    ]


def outgoing(version: int, remote: Remote) -> list[Form]:
    """For what the guarded port sends; the receivers let everything in."""
    echo, other_icmp = (8, 13) if version == 4 else (128, 139)
    ping, other_type = Probe(ICMP, echo), Probe(ICMP, other_icmp)
    icmp = "icmp" if version == 4 else "ipv6-icmp"
    elsewhere = "192.0.2.0/24" if version == 4 else "2001:db8::/64"
    return [
        Form("no rule", (), (no("TCP", WEB), no("UDP", DNS), no("ping", ping)), egress=True),
        Form("any protocol", ({},), (yes("TCP", WEB), yes("ping", ping), yes("GRE", Probe(GRE))), egress=True),
        Form(
            "`tcp`, a port",
            (port_rule("tcp", 80),),
            (yes("TCP 80", WEB), no("TCP 443", TLS), no("UDP", DNS)),
            egress=True,
        ),
        Form(
            "`udp`, ports 8000 to 8010",
            ({"protocol": "udp", **PORTS},),
            (yes("UDP 8000", Probe(UDP, 8000)), no("UDP 8011", Probe(UDP, 8011))),
            egress=True,
        ),
        Form(
            f"`{icmp}`, a type",
            ({"protocol": icmp, "port_range_min": echo},),
            (yes("ping", ping), no("another type", other_type)),
            egress=True,
        ),
        Form("remote prefix", ({"remote_ip_prefix": remote.subnet},), (yes("TCP", WEB),), egress=True),
        Form("another remote prefix", ({"remote_ip_prefix": elsewhere},), (no("TCP", WEB),), egress=True),
        Form(
            "remote group", ({"remote_group_id": remote.receivers},), (yes("TCP", WEB), yes("ping", ping)), egress=True
        ),
        Form("another remote group", ({"remote_group_id": remote.friends},), (no("TCP", WEB),), egress=True),
        Form(
            "stateless group, a port",
            (port_rule("tcp", 80),),
            (yes("TCP 80", WEB), no("TCP 443", TLS)),
            egress=True,
            stateful=False,
        ),
    ]
