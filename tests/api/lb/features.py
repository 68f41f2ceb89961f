"""The features of Octavia's provider matrix (its feature-matrix-*.ini), and what carries each of them here."""

from collections.abc import Mapping
from typing import Final

FEATURES: Final[Mapping[str, str]] = {
    "lb": """
        additional_vips admin_state_up availability_zone description flavor name stats status tags vip_address
        vip_network_id vip_port_id vip_qos_policy_id vip_subnet_id vip_sg_id
    """,
    "listener": """
        admin_state_up allowed_cidr alpn_protocol client_authentication client_ca_tls_container_ref
        client_crl_container_ref connection_limit default_tls_container_ref description
        insert_headers.X-Forwarded-For insert_headers.X-Forwarded-Port insert_headers.X-Forwarded-Proto
        insert_headers.X-SSL-Client-Verify insert_headers.X-SSL-Client-Has-Cert insert_headers.X-SSL-Client-DN
        insert_headers.X-SSL-Client-CN insert_headers.X-SSL-Issuer insert_headers.X-SSL-Client-SHA1
        insert_headers.X-SSL-Client-Not-Before insert_headers.X-SSL-Client-Not-After name protocol.HTTP
        protocol.HTTPS protocol.TCP protocol.TERMINATED_HTTPS protocol.UDP protocol.SCTP protocol.PROMETHEUS
        protocol_port sni_container_refs stats tags timeout_client_data timeout_member_connect
        timeout-member-data timeout-tcp-inspect tls_ciphers tls_versions
    """,
    "pool": """
        admin_state_up alpn_protocol ca_tls_container_ref crl_container_ref lb_algorithm.LEAST_CONNECTIONS
        lb_algorithm.ROUND_ROBIN lb_algorithm.SOURCE_IP lb_algorithm.SOURCE_IP_PORT description name
        protocol.HTTP protocol.HTTPS protocol.PROXY protocol.PROXYV2 protocol.TCP protocol.UDP protocol.SCTP
        session_persistence.APP_COOKIE session_persistence.cookie_name session_persistence.HTTP_COOKIE
        session_persistence.persistence_timeout session_persistence.persistence_granularity
        session_persistence.SOURCE_IP tags tls_ciphers tls_container_ref tls_enabled tls_versions
    """,
    "member": """
        admin_state_up address backup batch monitor_address monitor_port name protocol_port subnet_id tags
        weight
    """,
    "healthmonitor": """
        admin_state_up delay domain_name expected_codes http_method http_version name max_retries
        max_retries_down tags timeout type.HTTP type.HTTPS type.PING type.TCP type.TLS-HELLO type.UDP-CONNECT
        type.SCTP url_path
    """,
    "l7policy": """
        action.REDIRECT_TO_POOL action.REDIRECT_TO_PREFIX action.REDIRECT_TO_URL action.REJECT admin_state_up
        description name position redirect_http_code redirect_pool_id redirect_prefix redirect_url tags
    """,
    "l7rule": """
        admin_state_up compare_type.CONTAINS compare_type.ENDS_WITH compare_type.EQUAL_TO compare_type.REGEX
        compare_type.STARTS_WITH invert key tags type.COOKIE type.FILE_TYPE type.HEADER type.HOST_NAME
        type.PATH type.SSL_CONN_HAS_CERT type.SSL_VERIFY_RESULT type.SSL_DN_FIELD value
    """,
}
FLOWS, PROXY, MONITOR, API = "flows", "HAProxy", "the member's hypervisor", "the API"
# by whom, unless CARRIED says something else
USUAL: Final = {
    "lb": FLOWS,
    "listener": PROXY,
    "pool": FLOWS,
    "member": FLOWS,
    "healthmonitor": MONITOR,
    "l7policy": PROXY,
    "l7rule": PROXY,
}
CARRIED: Final[Mapping[str, str]] = {
    "listener.admin_state_up": FLOWS,
    "listener.allowed_cidr": FLOWS,
    "listener.protocol.TCP": FLOWS,
    "listener.protocol.UDP": FLOWS,
    "listener.protocol.SCTP": FLOWS,
    "listener.protocol.HTTPS": FLOWS,
    "listener.protocol_port": FLOWS,
    "pool.alpn_protocol": PROXY,
    "pool.ca_tls_container_ref": PROXY,
    "pool.crl_container_ref": PROXY,
    "pool.lb_algorithm.LEAST_CONNECTIONS": PROXY,
    "pool.protocol.HTTP": PROXY,
    "pool.protocol.PROXY": PROXY,
    "pool.protocol.PROXYV2": PROXY,
    "pool.session_persistence.APP_COOKIE": PROXY,
    "pool.session_persistence.cookie_name": PROXY,
    "pool.session_persistence.HTTP_COOKIE": PROXY,
    "pool.tls_ciphers": PROXY,
    "pool.tls_container_ref": PROXY,
    "pool.tls_enabled": PROXY,
    "pool.tls_versions": PROXY,
    "lb.status": API,
    "lb.availability_zone": "the API; its nodes run HAProxy, what flows serve is on every node",
    "lb.flavor": "the API; it says how many nodes run HAProxy",
    "lb.vip_qos_policy_id": "flows: limits of rates, on each node that has clients",
    "lb.stats": f"{FLOWS}; `request_errors` is HAProxy's",
    "listener.stats": f"{FLOWS}, likewise",
    "member.batch": API,
    "member.monitor_address": MONITOR,
    "member.monitor_port": MONITOR,
}
IN_ALL: Final = ("name", "description", "tags")  # the API's own
# what the API takes and keeps, and nothing comes of it
KEPT_ONLY: Final[Mapping[str, str]] = {
    "pool.session_persistence.persistence_timeout": "whom an address leads to does not change with time",
}
