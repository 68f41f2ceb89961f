"""Balancers to render, as values."""

from typing import Any

from netweft.model import L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool
from netweft.model.load_balancer import ONLINE, SessionPersistence, Vip
from netweft.services.lb.proxy.config import Tree

BALANCER = LoadBalancer(
    id="b1",
    vip_address="10.0.0.9",
    vip_port_id="p9",
    vip_network_id="n1",
    vips=(Vip("10.0.0.9", "s1"), Vip("fd00::9", "s2")),
)


def listener(id: str, protocol: str = "HTTP", port: int = 80, pool: str | None = "o1", **more: Any) -> Listener:
    return Listener(id=id, load_balancer_id="b1", protocol=protocol, protocol_port=port, default_pool_id=pool, **more)


def pool(id: str = "o1", protocol: str = "HTTP", algorithm: str = "ROUND_ROBIN", **more: Any) -> Pool:
    return Pool(id=id, load_balancer_id="b1", protocol=protocol, lb_algorithm=algorithm, **more)


def sticky(kind: str, name: str | None = None) -> SessionPersistence:
    return SessionPersistence(type=kind, cookie_name=name)


def member(id: str, pool: str = "o1", address: str = "10.0.0.4", **more: Any) -> Member:
    given: dict[str, Any] = {"protocol_port": 8080, "operating_status": ONLINE} | more
    return Member(id=id, pool_id=pool, load_balancer_id="b1", address=address, **given)


def policy(id: str, action: str, position: int = 1, on: str = "l1", **more: Any) -> L7Policy:
    return L7Policy(id=id, listener_id=on, load_balancer_id="b1", action=action, position=position, **more)


def rule(id: str, of: str, kind: str, compare: str, value: str, key: str | None = None, **more: Any) -> L7Rule:
    return L7Rule(
        id=id, l7policy_id=of, load_balancer_id="b1", type=kind, compare_type=compare, value=value, key=key, **more
    )


HTTP = Tree(
    BALANCER,
    listeners=(
        listener(
            "l1",
            insert_headers={"X-Forwarded-For": "true", "X-Forwarded-Port": "true", "X-Forwarded-Proto": "true"},
            allowed_cidrs=("10.0.0.0/8", "fd00::/8"),
            timeout_client_data=1000,
            timeout_member_connect=2000,
            timeout_member_data=3000,
            connection_limit=101,
        ),
        listener("l2", admin_state_up=False, port=81),
    ),
    pools=(pool(session_persistence=sticky("HTTP_COOKIE")), pool("o2", session_persistence=sticky("APP_COOKIE", "JS"))),
    members=(
        member("m1", weight=5),
        member("m2", address="fd00::4", operating_status="OFFLINE"),
        member("m3", admin_state_up=False),
        member("m4", weight=0, operating_status="DRAINING"),
        member("m5", "o2", backup=True),
    ),
    policies=(
        policy("y1", "REDIRECT_TO_POOL", 1, redirect_pool_id="o2"),
        policy("y2", "REDIRECT_TO_URL", 2, redirect_url="https://www.example.com/%20?a=b", redirect_http_code=301),
        policy("y3", "REDIRECT_PREFIX", 3, redirect_prefix="https://www.example.com"),
        policy("y4", "REJECT", 4),
        policy("y5", "REJECT", 5, admin_state_up=False),
        policy("y6", "REJECT", 6),
        policy("y7", "REDIRECT_TO_POOL", 7, redirect_pool_id="gone"),
    ),
    rules=(
        rule("r1", "y1", "PATH", "STARTS_WITH", "/api"),
        rule("r2", "y1", "HEADER", "CONTAINS", "it's", "X-Tenant", invert=True),
        rule("r3", "y2", "HOST_NAME", "EQUAL_TO", "example.com"),
        rule("r4", "y3", "HOST_NAME", "REGEX", "^old[0-9]{1,3}\\.", None),
        rule("r5", "y4", "FILE_TYPE", "EQUAL_TO", "php"),
        rule("r6", "y4", "COOKIE", "ENDS_WITH", "}", "session"),
        rule("r7", "y5", "PATH", "EQUAL_TO", "/"),
        rule("r8", "y6", "PATH", "EQUAL_TO", "/", admin_state_up=False),
        rule("r9", "y7", "PATH", "EQUAL_TO", "-f"),
    ),
    instances=2,
)

TLS = Tree(
    BALANCER,
    listeners=(
        listener(
            "l1",
            "TERMINATED_HTTPS",
            443,
            default_tls_container_ref="https://keys/containers/default",
            sni_container_refs=("https://keys/containers/sni", "https://keys/containers/default"),
            client_authentication="OPTIONAL",
            client_ca_tls_container_ref="https://keys/secrets/ca",
            client_crl_container_ref="https://keys/secrets/crl",
            insert_headers={"X-SSL-Client-Verify": "true", "X-SSL-Client-DN": "true", "X-SSL-Client-CN": "false"},
            tls_versions=("TLSv1.2", "TLSv1.3"),
            tls_ciphers="TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384",
            alpn_protocols=("h2", "http/1.1"),
            hsts_max_age=31536000,
            hsts_include_subdomains=True,
            hsts_preload=True,
        ),
    ),
    pools=(
        pool(
            tls_enabled=True,
            tls_container_ref="https://keys/containers/client",
            ca_tls_container_ref="https://keys/secrets/members-ca",
            tls_versions=("TLSv1.3",),
        ),
    ),
    members=(member("m1"),),
    policies=(policy("y1", "REJECT"), policy("y2", "REJECT", 2)),
    rules=(
        rule("r1", "y1", "SSL_CONN_HAS_CERT", "EQUAL_TO", "True", invert=True),
        rule("r2", "y2", "SSL_DN_FIELD", "EQUAL_TO", "x y", "CN"),
        rule("r3", "y2", "SSL_VERIFY_RESULT", "EQUAL_TO", "0", invert=True),
    ),
)

STREAMS = Tree(
    BALANCER,
    listeners=(
        listener("l1", "TCP", 81, "o1", connection_limit=100, timeout_tcp_inspect=500),
        listener("l2", "TCP", 82, "o2"),
        listener("l3", "TCP", 83, "o3"),
        listener("l4", "PROMETHEUS", 84, None),
        listener("l5", "TCP", 85, "o4"),
        listener("l6", "UDP", 86, "o4"),
        listener("l7", "HTTPS", 87, "o5"),
    ),
    pools=(
        pool("o1", "PROXYV2", "SOURCE_IP_PORT"),
        pool("o2", "PROXY", "SOURCE_IP"),
        pool("o3", "TCP", "LEAST_CONNECTIONS", session_persistence=sticky("SOURCE_IP")),
        pool("o4", "TCP"),
        pool("o5", "HTTPS"),
    ),
    members=(
        member("m1", "o1"),
        member("m2", "o2"),
        member("m3", "o3"),
        member("m4", "o4"),
        member("m6", "o4", "fd00::4"),
        member("m5", "o5"),
        member("m7", "o5", "fd00::4"),
    ),
)
