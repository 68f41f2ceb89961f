"""The words of Octavia's API, and which of them go together."""

from collections.abc import Mapping
from typing import Final

PROVIDER: Final = "netweft"

# kinds in the store; in paths they are the same words
BALANCERS, LISTENERS, POOLS, MEMBERS = "loadbalancers", "listeners", "pools", "members"
MONITORS, POLICIES, L7RULES = "healthmonitors", "l7policies", "l7rules"
CHILDREN: Final = (LISTENERS, POOLS, MEMBERS, MONITORS, POLICIES, L7RULES)
# how messages call one of them
TITLES: Final = {
    BALANCERS: "LoadBalancer",
    LISTENERS: "Listener",
    POOLS: "Pool",
    MEMBERS: "Member",
    MONITORS: "HealthMonitor",
    POLICIES: "L7Policy",
    L7RULES: "L7Rule",
}

ACTIVE = "ACTIVE"
PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE = "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE"

TCP, UDP, SCTP = "TCP", "UDP", "SCTP"
HTTP, HTTPS, TERMINATED_HTTPS, PROMETHEUS = "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROMETHEUS"
PROXY, PROXYV2 = "PROXY", "PROXYV2"
LISTENER_PROTOCOLS: Final = (TCP, HTTPS, HTTP, TERMINATED_HTTPS, UDP, SCTP, PROMETHEUS)
POOL_PROTOCOLS: Final = (TCP, HTTP, HTTPS, PROXY, PROXYV2, UDP, SCTP)
DATAGRAMS: Final = (UDP, SCTP)
# listener -> which pools it may lead to
LEADS_TO: Final[Mapping[str, tuple[str, ...]]] = {
    TCP: (HTTP, HTTPS, PROXY, PROXYV2, TCP),
    HTTP: (HTTP, PROXY, PROXYV2),
    HTTPS: (HTTPS, PROXY, PROXYV2, TCP),
    TERMINATED_HTTPS: (HTTP, PROXY, PROXYV2),
    UDP: (UDP,),
    SCTP: (SCTP,),
    PROMETHEUS: (),
}
ALGORITHMS: Final = ("LEAST_CONNECTIONS", "ROUND_ROBIN", "SOURCE_IP", "SOURCE_IP_PORT")
PERSISTENCE: Final = ("SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE")

MONITOR_HTTP, MONITOR_HTTPS, UDP_CONNECT = "HTTP", "HTTPS", "UDP-CONNECT"
MONITOR_TYPES: Final = ("HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP")
OF_DATAGRAMS: Final = ("UDP-CONNECT", "SCTP", "TCP", "HTTP")  # monitors of pools of datagrams
ONLY_OF_DATAGRAMS: Final = ("UDP-CONNECT", "SCTP")
HTTP_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
HTTP_VERSIONS: Final = (1.0, 1.1)
LEAST_UDP_DELAY: Final = 3  # seconds

ACTIONS: Final = ("REJECT", "REDIRECT_TO_URL", "REDIRECT_TO_POOL", "REDIRECT_PREFIX")
REDIRECT_CODES: Final = (301, 302, 303, 307, 308)
RULE_TYPES: Final = (
    *("HOST_NAME", "PATH", "FILE_TYPE", "HEADER", "COOKIE"),
    *("SSL_CONN_HAS_CERT", "SSL_VERIFY_RESULT", "SSL_DN_FIELD"),
)
COMPARE_TYPES: Final = ("REGEX", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "EQUAL_TO")
MOST_RULES: Final = 50  # of an L7 policy

HEADERS: Final = frozenset(
    {
        *("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"),
        *("X-Forwarded-IP", "X-Client-IP", "X-Real-IP"),
    }
)
SSL_HEADERS: Final = frozenset(
    {
        *("X-SSL-Client-Verify", "X-SSL-Client-Has-Cert", "X-SSL-Client-DN", "X-SSL-Client-CN"),
        *("X-SSL-Issuer", "X-SSL-Client-SHA1", "X-SSL-Client-Not-Before", "X-SSL-Client-Not-After"),
    }
)
CLIENT_AUTHENTICATION: Final = ("NONE", "OPTIONAL", "MANDATORY")
TLS_VERSIONS: Final = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
LEAST_TLS: Final = "TLSv1.2"
ALPN: Final = ("h2", "http/1.1", "http/1.0")
DEFAULT_TLS_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
DEFAULT_ALPN: Final = ("h2", "http/1.1", "http/1.0")
DEFAULT_CIPHERS: Final = ":".join(
    (
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
        *("DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305"),
    )
)


def transport(protocol: str) -> str:
    """TCP, UDP or SCTP: what a listener takes a port of."""
    return protocol if protocol in DATAGRAMS else TCP
