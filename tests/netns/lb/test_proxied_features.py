"""What HAProxy does for a balancer's listeners, with real requests: one balancer with a listener for each feature.

Cookies, the PROXY protocol, metrics, redirects, each type of L7 rule, and TLS with clients' certificates.
"""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import certificates
from tests.certificates import Certificate
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.lb.proxied import Heard, Request, ask, serving_http

VIP = "10.63.0.100"
HTTP, COOKIE, SESSION, SOURCE, PROXY, PROXYV2, METRICS, TLS, CLIENTS = 80, 81, 82, 83, 84, 85, 86, 443, 444
NAME = "www.example.com"


class Tls(NamedTuple):
    """known, banned: files with clients' certificates and their keys."""

    authority: Certificate
    refs: dict[str, str]
    known: Path
    banned: Path


class Stage(NamedTuple):
    client: str  # its address
    namespace: str
    members: list[str]  # their names
    tls: Tls

    def ask(self, *requests: Request) -> list[Heard]:
        return ask(self.namespace, requests)


@pytest.fixture(scope="module")
def tls(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    authority, folder = certificates.authority(), tmp_path_factory.mktemp("clients")
    server, known, banned = (certificates.signed(authority, name) for name in (NAME, "known", "banned"))
    payloads: dict[str, str | bytes] = {
        "server": server.pkcs12(),
        "ca": authority.pem,
        "crl": certificates.revoked(authority, banned),
    }
    with lab.cloud() as cloud:
        refs = {
            name: str(cloud.keeping("POST", "secrets", secret(one))["secret_ref"]) for name, one in payloads.items()
        }
    for name, one in (("known", known), ("banned", banned)):
        (folder / name).write_text(one.pem + one.key_pem)
    yield Tls(authority, refs, folder / "known", folder / "banned")
    with lab.cloud() as cloud:
        for ref in refs.values():
            cloud.keeping("DELETE", f"secrets/{ref.rpartition('/')[2]}")


def secret(payload: str | bytes) -> dict[str, str]:
    if isinstance(payload, str):
        return {"payload": payload, "payload_content_type": "text/plain"}
    encoded = base64.b64encode(payload).decode()
    kind = "application/octet-stream"
    return {"payload": encoded, "payload_content_type": kind, "payload_content_encoding": "base64"}


@pytest.fixture(scope="module")
def stage(lab: Lab, tls: Tls) -> Iterator[Stage]:
    network = lab.network("10.63.0.0/24")
    lab.let_strangers_in()
    members = [lab.add_vm("hv1", network), lab.add_vm("hv2", network)]
    client = lab.add_vm("hv1", network)
    wanted = {"vip_network_id": network, "vip_address": VIP}
    told = list(listeners(list(map(address, members)), tls))
    with lab.cloud() as cloud:
        made = cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted | {"listeners": told}})["loadbalancer"]
        of_it = f"loadbalancers/{made['id']}"
        until(lambda: cloud.balancing("GET", of_it)["loadbalancer"]["provisioning_status"] == "ACTIVE", "it is active")
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving_http(lab, one))
        yield Stage(address(client), lab.layout.vm_namespace(client.name), [one.name for one in members], tls)
    with lab.cloud() as cloud:
        cloud.balancing("DELETE", f"{of_it}?cascade=true")


def listeners(members: list[str], tls: Tls) -> Iterator[dict[str, Any]]:
    def pool(name: str, kept: dict[str, str] | None = None, protocol: str = "HTTP", most: int = 2) -> dict[str, Any]:
        ends = [{"address": one, "protocol_port": 8080} for one in members[:most]]
        how = {"protocol": protocol, "lb_algorithm": "ROUND_ROBIN"}
        return {"name": name, "members": ends, "session_persistence": kept, **how}

    def http(port: int, **more: Any) -> dict[str, Any]:
        return {"protocol": "HTTP", "protocol_port": port, **more}

    told = dict.fromkeys(("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"), "true")
    policies = [*POLICIES, redirect_to(pool("first", most=1))]
    yield http(HTTP, default_pool=pool("both"), l7policies=policies, insert_headers=told)
    yield http(COOKIE, default_pool=pool("cookie", {"type": "HTTP_COOKIE"}))
    yield http(SESSION, default_pool=pool("session", {"type": "APP_COOKIE", "cookie_name": "SESSION"}))
    yield http(SOURCE, default_pool=pool("source", {"type": "SOURCE_IP"}))
    yield http(PROXY, default_pool=pool("proxy", protocol="PROXY"))
    yield http(PROXYV2, default_pool=pool("proxyv2", protocol="PROXYV2"))
    yield {"protocol": "PROMETHEUS", "protocol_port": METRICS}
    secured = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": tls.refs["server"]}
    trusts = {"client_ca_tls_container_ref": tls.refs["ca"], "client_crl_container_ref": tls.refs["crl"]}
    yield secured | {
        "protocol_port": TLS,
        "default_pool": {"name": "both"},
        "client_authentication": "OPTIONAL",
        "l7policies": CERTIFIED,
        "insert_headers": {"X-SSL-Client-Has-Cert": "true", "X-SSL-Client-CN": "true", "X-SSL-Client-Verify": "true"},
        **trusts,
    }
    yield secured | {
        "protocol_port": CLIENTS,
        "default_pool": {"name": "both"},
        "client_authentication": "MANDATORY",
        "hsts_max_age": 60,
        "hsts_include_subdomains": True,
        **trusts,
    }


def rule(kind: str, compare: str, value: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "compare_type": compare, "value": value} | ({"key": key} if key else {}) | more


def reject(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"action": "REJECT", "rules": list(rules)}


def redirect_to(pool: dict[str, Any]) -> dict[str, Any]:
    rules = [rule("HOST_NAME", "ENDS_WITH", ".first.example.com")]
    return {"action": "REDIRECT_TO_POOL", "redirect_pool": pool, "rules": rules}


POLICIES = [
    reject(rule("PATH", "EQUAL_TO", "/stop")),
    reject(rule("COOKIE", "CONTAINS", "bad", key="taste")),
    reject(rule("HEADER", "REGEX", "^v[0-9]+$", key="X-Kind")),
    reject(rule("PATH", "STARTS_WITH", "/inner"), rule("HEADER", "EQUAL_TO", "secret", key="X-Key", invert=True)),
    {
        "action": "REDIRECT_TO_URL",
        "redirect_url": "http://other.example.com/there",
        "redirect_http_code": 307,
        "rules": [rule("PATH", "STARTS_WITH", "/url")],
    },
    {
        "action": "REDIRECT_PREFIX",
        "redirect_prefix": "https://files.example.com",
        "redirect_http_code": 301,
        "rules": [rule("FILE_TYPE", "EQUAL_TO", "png")],
    },
]
CERTIFIED = [
    reject(rule("PATH", "EQUAL_TO", "/certified"), rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "True", invert=True)),
    reject(rule("PATH", "EQUAL_TO", "/verified"), rule("SSL_VERIFY_RESULT", "EQUAL_TO", "0", invert=True)),
    reject(rule("PATH", "EQUAL_TO", "/unknown"), rule("SSL_DN_FIELD", "EQUAL_TO", "known", key="CN")),
]


DECIDED = [
    (Request(VIP, "/stop"), 403),
    (Request(VIP, "/stops"), 200),
    (Request(VIP, headers={"Cookie": "a=b; taste=very-bad"}), 403),
    (Request(VIP, headers={"Cookie": "a=bad; taste=good"}), 200),
    (Request(VIP, headers={"X-Kind": "v12"}), 403),
    (Request(VIP, headers={"X-Kind": "v12a"}), 200),
    (Request(VIP, "/inner/x"), 403),
    (Request(VIP, "/inner/x", headers={"X-Key": "secret"}), 200),
    (Request(VIP, "/url/x"), 307),
    (Request(VIP, "/a/picture.png"), 301),
    (Request(VIP, "/png"), 200),
]


def test_rules_of_requests_decide(stage: Stage) -> None:
    heard = stage.ask(*(request for request, _ in DECIDED))
    assert [one.status for one in heard] == [status for _, status in DECIDED]
    assert heard[8].headers["location"] == "http://other.example.com/there"
    assert heard[9].headers["location"] == "https://files.example.com/a/picture.png"


def test_a_rule_chooses_the_pool(stage: Stage) -> None:
    usual, led = Request(VIP), Request(VIP, headers={"Host": "a.FIRST.example.com:80"})
    heard = stage.ask(*[usual] * 8, *[led] * 8)
    assert names(heard[:8]) == set(stage.members)
    assert names(heard[8:]) == {stage.members[0]}


def names(heard: list[Heard]) -> set[str]:
    return {one.said["name"] for one in heard}


def test_members_get_the_clients_address_and_not_from_the_client(stage: Stage) -> None:
    (heard,) = stage.ask(Request(VIP, headers={"X-Real-IP": "192.0.2.1", "X-Forwarded-Proto": "gopher"}))
    told = {name: heard.asked[name] for name in ("x-forwarded-for", "x-forwarded-proto", "x-real-ip")}
    assert told == {"x-forwarded-for": stage.client, "x-forwarded-proto": "http", "x-real-ip": stage.client}


def test_a_cookie_leads_back(stage: Stage) -> None:
    """Whichever instance is asked."""
    first, login = stage.ask(Request(VIP, port=COOKIE), Request(VIP, "/login", port=SESSION))
    assert "httponly" in first.headers["set-cookie"].lower()
    for port, heard in ((COOKIE, first), (SESSION, login)):
        cookie = heard.headers["set-cookie"].partition(";")[0]
        again = stage.ask(*[Request(VIP, port=port, headers={"Cookie": cookie})] * 8)
        assert names(again) == names([heard])
        seen = {one.asked.get("cookie") for one in again}
        assert seen == ({"SESSION=s1"} if port == SESSION else {None}), "a member sees what is its own"


def test_an_address_leads_back(stage: Stage) -> None:
    assert len(names(stage.ask(*[Request(VIP, port=SOURCE)] * 8))) == 1


def test_members_hear_of_the_client_by_the_proxy_protocol(stage: Stage) -> None:
    first, second = stage.ask(Request(VIP, port=PROXY), Request(VIP, port=PROXYV2))
    assert first.said["proxy"].split()[:3] == ["PROXY", "TCP4", stage.client]
    asked_by = bytes(map(int, stage.client.split(".")))
    assert second.said["proxy"].startswith(f"2 {asked_by.hex()}")


def test_metrics(stage: Stage) -> None:
    metrics, other = stage.ask(Request(VIP, "/metrics", port=METRICS), Request(VIP, "/", port=METRICS))
    assert (metrics.status, other.status) == (200, 404)
    assert "haproxy_frontend_http_requests_total" in metrics.body


def secured(stage: Stage, path: str, cert: Path | str = "", port: int = TLS, **more: Any) -> Request:
    return Request(VIP, path, port, tls=stage.tls.authority.pem, name=NAME, cert=str(cert), **more)


def test_rules_of_certificates_decide(stage: Stage) -> None:
    """Who shows a revoked one is let in where certificates are optional, and rules can tell."""
    known, banned = stage.tls.known, stage.tls.banned
    paths = ("/certified", "/verified", "/unknown")
    heard = stage.ask(*(secured(stage, path, cert) for cert in ("", known, banned) for path in paths))
    assert [one.status for one in heard] == [403, 200, 200, 200, 200, 403, 200, 403, 200], heard
    of_known = stage.ask(secured(stage, "/", known, headers={"X-SSL-Client-CN": "boss"}))[0].asked
    assert [of_known[f"x-ssl-client-{name}"] for name in ("has-cert", "cn", "verify")] == ["1", "known", "0"]


def test_where_certificates_are_a_must(stage: Stage) -> None:
    certs = ("", stage.tls.known, stage.tls.banned)
    none, known, banned = stage.ask(*(secured(stage, "/", cert, CLIENTS) for cert in certs))
    assert (none.status, known.status, banned.status) == (0, 200, 0)
    assert known.headers["strict-transport-security"] == "max-age=60; includeSubDomains"


def test_http_2_by_alpn(stage: Stage) -> None:
    both, old = stage.ask(secured(stage, "/", alpn=("h2", "http/1.1")), secured(stage, "/", alpn=("http/1.1",)))
    assert (both.status, both.headers) == (200, {}), both
    assert old.status == 200
    assert old.said["name"] in stage.members
