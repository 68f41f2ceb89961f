"""Each of the 142 features of Octavia's provider matrix is asked for; what came of it is docs/load-balancers.md.

`NETWEFT_WRITE_GOLDENS=1` writes the page."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tests import certificates
from tests.api.lb.conftest import Lb, application
from tests.api.lb.features import API, CARRIED, FEATURES, IN_ALL, KEPT_ONLY, USUAL

from netweft.control.key_manager.contents import Reference
from netweft.control.lb.tls import Looked
from netweft.store import Object, Store

PAGE = Path(__file__).parents[3] / "docs" / "load-balancers.md"
REF = "https://keys.test/v1/secrets/1"
HEAD = (Path(__file__).parent / "load-balancers.head.md").read_text()
POOL: dict[str, Any] = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
TITLES = {
    "lb": "Load balancers",
    "listener": "Listeners",
    "pool": "Pools",
    "member": "Members",
    "healthmonitor": "Health monitors",
    "l7policy": "L7 policies",
    "l7rule": "L7 rules",
}


AUTHORITY = certificates.authority()
PEM = {"authorities": AUTHORITY.pem.encode(), "revoked": certificates.revoked(AUTHORITY).encode()}


class AnyKeys:
    """A key manager in which every reference is a good one."""

    async def read(self, project_id: str, references: Collection[Reference], token: str) -> Looked:
        return {one: PEM.get(one.kind, b"a certificate") for one in references}


class Tried:
    """There is one of each kind; a feature is asked for on one of its own."""

    def __init__(self, lb: Lb) -> None:
        self.lb, self._port = lb, 1000
        self.subnet = lb.network()
        self.network = self.subnet["network_id"]
        self.balancer = lb.balancer(vip_subnet_id=self.subnet["id"])["id"]

    def listener(self, **values: Any) -> tuple[str, str, Object]:
        self._port += 1
        wanted = {"loadbalancer_id": self.balancer, "protocol": "HTTP", "protocol_port": self._port} | values
        if wanted["protocol"] == "TERMINATED_HTTPS":
            wanted.setdefault("default_tls_container_ref", REF)
        return "/listeners", "listener", wanted

    def pool(self, **values: Any) -> tuple[str, str, Object]:
        return "/pools", "pool", POOL | {"loadbalancer_id": self.balancer} | values

    def made(self, asked: tuple[str, str, Object]) -> str:
        path, _, values = asked
        return f"{path}/{self.lb.make(path, **values)['id']}"

    def member(self, **values: Any) -> tuple[str, str, Object]:
        member = {"address": "10.0.0.9", "protocol_port": 80}
        return f"{self.made(self.pool())}/members", "member", member | values

    def monitor(self, protocol: str = "HTTP", **values: Any) -> tuple[str, str, Object]:
        pool = self.made(self.pool(protocol=protocol)).rpartition("/")[2]
        monitor = {"pool_id": pool, "type": "HTTP", "delay": 5, "timeout": 1, "max_retries": 1}
        return "/healthmonitors", "healthmonitor", monitor | values

    def policy(self, **values: Any) -> tuple[str, str, Object]:
        listener = self.made(self.listener()).rpartition("/")[2]
        return "/l7policies", "l7policy", {"listener_id": listener, "action": "REJECT"} | values

    def rule(self, **values: Any) -> tuple[str, str, Object]:
        rule = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}
        return f"{self.made(self.policy())}/rules", "rule", rule | values

    def a_pool(self) -> str:
        return self.made(self.pool()).rpartition("/")[2]


VALUES: Mapping[str, Any] = {
    "name": "n",
    "description": "d",
    "tags": ["t"],
    "admin_state_up": False,
    "connection_limit": 9,
    "position": 1,
    "timeout_client_data": 1,
    "timeout_member_connect": 1,
    "timeout_member_data": 1,
    "timeout_tcp_inspect": 1,
    "sni_container_refs": [REF],
    "default_tls_container_ref": REF,
    "tls_container_ref": REF,
    "delay": 7,
    "tls_ciphers": "AES128-SHA",
    "tls_versions": ["TLSv1.3"],
    "alpn_protocols": ["h2"],
    "tls_enabled": True,
    "allowed_cidrs": ["10.0.0.0/8"],
    "protocol_port": 4711,
    "weight": 9,
    "backup": True,
    "timeout": 9,
    "monitor_address": "10.0.0.7",
    "monitor_port": 7,
    "address": "10.0.0.6",
    "max_retries": 9,
    "url_path": "/x",
    "max_retries_down": 9,
    "http_method": "PUT",
    "http_version": 1.1,
    "expected_codes": "201",
    "invert": True,
    "value": "/b",
    "redirect_http_code": 308,
}
RENAMED = {
    "alpn_protocol": "alpn_protocols",
    "allowed_cidr": "allowed_cidrs",
    "timeout-member-data": "timeout_member_data",
    "timeout-tcp-inspect": "timeout_tcp_inspect",
    "vip_sg_id": "vip_sg_ids",
    "flavor": "flavor_id",
}
OF_TLS = ("tls_", "alpn_", "sni_", "default_tls", "client_")


def _balancer(tried: Tried, name: str) -> tuple[str, str, Object]:
    lb, subnet = tried.lb, tried.subnet
    at = {"vip_subnet_id": subnet["id"]}
    if name == "additional_vips":
        more = lb.net.make("alice", "subnet", network_id=tried.network, ip_version=6, cidr="fd00::/64")
        return "/loadbalancers", "loadbalancer", at | {name: [{"subnet_id": more["id"]}]}
    if name == "flavor":
        data = '{"loadbalancer_topology": "SINGLE"}'
        profile = lb.make("/flavorprofiles", "admin", name="f", provider_name="netweft", flavor_data=data)
        flavor = lb.make("/flavors", "admin", name="f", flavor_profile_id=profile["id"])
        return "/loadbalancers", "loadbalancer", at | {"flavor_id": flavor["id"]}
    if name == "availability_zone":
        data = {"name": "z", "provider_name": "netweft", "availability_zone_data": "{}"}  # type: ignore[assignment]
        answer = lb("admin", "POST", "/availabilityzoneprofiles", {"availability_zone_profile": data})
        zone = {"name": "z", "availability_zone_profile_id": lb.ok(answer, 201)["id"]}
        lb.ok(lb("admin", "POST", "/availabilityzones", {"availability_zone": zone}), 201)
        return "/loadbalancers", "loadbalancer", at | {name: "z"}
    at_first = {"subnet_id": subnet["id"]}
    own: dict[str, Callable[[], Object]] = {
        "vip_address": lambda: at | {name: "10.0.0.77"},
        "vip_network_id": lambda: {name: tried.network},
        "vip_port_id": lambda: {
            name: lb.net.make("alice", "port", network_id=tried.network, fixed_ips=[at_first])["id"]
        },
        "vip_qos_policy_id": lambda: at | {name: _policy(lb)},
        "vip_sg_id": lambda: at | {"vip_sg_ids": [lb.net.make("alice", "security_group", name="g")["id"]]},
        "vip_subnet_id": lambda: at,
    }
    return "/loadbalancers", "loadbalancer", own[name]() if name in own else at | {name: VALUES[name]}


def _policy(lb: Lb) -> str:
    made = lb.net("admin", "POST", "/qos/policies", {"policy": {"name": "q", "shared": True}})
    return str(made.json()["policy"]["id"])


def _listener(tried: Tried, name: str) -> tuple[str, str, Object]:
    kind, _, what = name.partition(".")
    if kind == "insert_headers":
        protocol = "TERMINATED_HTTPS" if "SSL" in what else "HTTP"
        return tried.listener(protocol=protocol, insert_headers={what: "true"})
    if kind == "protocol":
        return tried.listener(protocol=what)
    if name == "client_authentication":
        return tried.listener(protocol="TERMINATED_HTTPS", client_ca_tls_container_ref=REF, **{name: "MANDATORY"})
    if name.startswith("client_"):
        more = {"client_ca_tls_container_ref": REF, name: REF}
        return tried.listener(protocol="TERMINATED_HTTPS", **more)
    protocol = "TERMINATED_HTTPS" if name.startswith(OF_TLS) else "HTTP"
    return tried.listener(protocol=protocol, **{name: VALUES[name]})


def _pool(tried: Tried, name: str) -> tuple[str, str, Object]:
    kind, _, what = name.partition(".")
    if kind in ("lb_algorithm", "protocol"):
        return tried.pool(**{kind: what})
    if kind == "session_persistence":
        if what.startswith("persistence_"):
            value: Any = 5 if what.endswith("timeout") else "255.255.255.0"
            return tried.pool(protocol="UDP", session_persistence={"type": "SOURCE_IP", what: value})
        cookie = {"cookie_name": "c"} if what in ("APP_COOKIE", "cookie_name") else {}
        return tried.pool(session_persistence={"type": "APP_COOKIE" if cookie else what} | cookie)
    if name.endswith("_container_ref"):
        return tried.pool(
            tls_enabled=True, ca_tls_container_ref=REF, **{n: REF for n in [name] if n != "ca_tls_container_ref"}
        )
    more = {"tls_enabled": True} if name.startswith(OF_TLS) else {}
    return tried.pool(**{**more, name: VALUES[name]})


def _monitor(tried: Tried, name: str) -> tuple[str, str, Object]:
    kind, _, what = name.partition(".")
    if kind == "type":
        return tried.monitor("UDP" if what in ("UDP-CONNECT", "SCTP") else "HTTP", type=what)
    if name == "domain_name":
        return tried.monitor(http_version=1.1, domain_name="a.test")
    return tried.monitor(**{name: VALUES[name]})


def _l7policy(tried: Tried, name: str) -> tuple[str, str, Object]:
    kind, _, what = name.partition(".")
    what = what.replace("TO_PREFIX", "PREFIX")
    targets: Mapping[str, Callable[[], Object]] = {
        "REDIRECT_TO_POOL": lambda: {"action": "REDIRECT_TO_POOL", "redirect_pool_id": tried.a_pool()},
        "REDIRECT_PREFIX": lambda: {"action": "REDIRECT_PREFIX", "redirect_prefix": "https://a.test"},
        "REDIRECT_TO_URL": lambda: {"action": "REDIRECT_TO_URL", "redirect_url": "https://a.test/"},
        "REJECT": dict,
    }
    by_field = {"redirect_pool_id": "REDIRECT_TO_POOL", "redirect_prefix": "REDIRECT_PREFIX"}
    by_field |= {"redirect_url": "REDIRECT_TO_URL", "redirect_http_code": "REDIRECT_TO_URL"}
    if kind == "action":
        return tried.policy(**targets[what]())
    more = {name: VALUES[name]} if name in VALUES else {}
    return tried.policy(**targets[by_field.get(name, "REJECT")](), **more)


def _l7rule(tried: Tried, name: str) -> tuple[str, str, Object]:
    kind, _, what = name.partition(".")
    if kind == "compare_type":
        return tried.rule(compare_type=what)
    own = {
        "SSL_CONN_HAS_CERT": {"value": "True"},
        "SSL_VERIFY_RESULT": {"value": "0"},
        "SSL_DN_FIELD": {"key": "CN", "value": "a"},
        "HEADER": {"key": "k"},
        "COOKIE": {"key": "k"},
    }
    if kind == "type":
        return tried.rule(type=what, **own.get(what, {}))
    return tried.rule(type="HEADER", key="k") if name == "key" else tried.rule(**{name: VALUES[name]})


ASKED = {
    "lb": _balancer,
    "listener": _listener,
    "pool": _pool,
    "member": lambda tried, name: tried.member(**{name: tried.subnet["id"] if name == "subnet_id" else VALUES[name]}),
    "healthmonitor": _monitor,
    "l7policy": _l7policy,
    "l7rule": _l7rule,
}


def came_of(tried: Tried, kind: str, feature: str) -> str:
    """`yes`, or how it is refused."""
    lb = tried.lb
    if feature in ("stats", "status", "batch"):
        paths = {
            "lb.stats": f"/loadbalancers/{tried.balancer}/stats",
            "lb.status": f"/loadbalancers/{tried.balancer}/status",
        }
        if feature == "batch":
            answer = lb("alice", "PUT", f"{tried.made(tried.pool())}/members", {"members": []})
            return "yes" if answer.status_code == 202 else answer.text
        path = paths.get(f"{kind}.{feature}") or f"{tried.made(tried.listener())}/stats"
        return "yes" if lb("alice", "GET", path).status_code == 200 else "missing"
    path, member, wanted = ASKED[kind](tried, RENAMED.get(feature, feature) if kind != "lb" else feature)
    answer = lb("alice", "POST", path, {member: wanted})
    if answer.status_code != 201:
        return f"refused: {answer.json()['faultstring']}"
    shown = lb.get(f"{path}/{answer.json()[member]['id']}")
    return "yes" if _is_in(wanted, shown) else "missing"


def _is_in(wanted: Object, shown: Object) -> bool:
    """What was asked for is what is shown; ids of parents have other places, an object may say more."""
    for name, value in wanted.items():
        if name not in shown:
            continue
        told = shown[name]
        if isinstance(value, dict):
            told = {key: told[key] for key in value}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            told = [{key: one[key] for key in value[0]} for one in told]
        if told != value:
            return False
    return True


def test_the_142_features(store: Store) -> None:
    lb = Lb(application(store, keys=AnyKeys()))
    tried = Tried(lb)
    features = [(kind, feature) for kind, names in FEATURES.items() for feature in names.split()]
    assert len(features) == 142
    found = {(kind, feature): came_of(tried, kind, feature) for kind, feature in features}
    page = told(found)
    if os.environ.get("NETWEFT_WRITE_GOLDENS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "NETWEFT_WRITE_GOLDENS=1 writes it"


def told(found: Mapping[tuple[str, str], str]) -> str:
    here = [key for key, answer in found.items() if answer == "yes"]
    kept = [key for key in here if ".".join(key) in KEPT_ONLY]
    refused = [key for key, answer in found.items() if answer.startswith("refused")]
    text = HEAD.format(
        all=len(found), yes=len(here) - len(kept), kept=len(kept), refused=len(refused),
        missing=len(found) - len(here) - len(refused),
    )  # fmt: skip
    for kind, title in TITLES.items():
        text += f"\n### {title}\n\n| feature | | carried by |\n|---|---|---|\n"
        for (of, feature), answer in found.items():
            if of == kind:
                text += f"| `{feature}` | {_line(kind, feature, answer)} |\n"
    return text


def _line(kind: str, feature: str, answer: str) -> str:
    name = f"{kind}.{feature}"
    if answer != "yes":
        return f"{answer} | "
    if name in KEPT_ONLY:
        return f"kept | {KEPT_ONLY[name]}"
    return f"yes | {API if feature in IN_ALL else CARRIED.get(name, USUAL[kind])}"
