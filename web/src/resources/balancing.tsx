// Load balancers and what is below them: Octavia's API.
import { part } from "../api";
import { BalancePage } from "../pages/balance";
import { Counters, StatusTree } from "../ui/balancer";
import { Mono, Ref, Refs, State } from "../ui/cells";
import type { Held } from "./held";
import { Members } from "../ui/members";
import { L7Rules, PoolMembers } from "../ui/pool";
import { BALANCED, headers, persistence } from "./lines";
import { DESCRIPTION, NAME, PROJECT, UP, projectColumn } from "./standard";
import type { Column, Declared, Field } from "./types";

const state = (name: string, title: string): Column => ({ name, title, cell: (one) => <State word={one[name]} /> });

const STATES: Column[] = [
  state("provisioning_status", "Provisioning"),
  {
    ...state("operating_status", "Operating"),
    cell: (one) => (
      <>
        <State word={one.operating_status} />
        {one.admin_state_up === false && <span class="note">admin down</span>}
      </>
    ),
  },
];

const ids = (those: { id: string }[] | undefined): string[] => (those ?? []).map((one) => one.id);
const OF_BALANCER: Column = { name: "loadbalancers", title: "Load balancer", cell: (one) => <Refs kind="loadbalancers" ids={ids(one.loadbalancers)} /> };
// what another page says by its address
const asked = (name: string, label: string, of: string, help?: string): Field => ({ name, label, as: "ref", of, help, initial: (query) => query.get(name) ?? "" });
const number = (name: string, label: string, help?: string): Field => ({ name, label, as: "number", help });
const COMMON = { group: "Load balancing", also: BALANCED };
const terminated = (values: Record<string, any>): boolean => values.protocol === "TERMINATED_HTTPS";
const encrypted = (values: Record<string, any>): boolean => Boolean(values.tls_enabled);
const held = (name: string, label: string, kind: Held, when: Field["when"], as: "ref" | "refs" = "ref"): Field => ({ name, label, as, held: kind, when });
// how TLS is spoken, where this ends it or begins it
const tls = (when: Field["when"], help: string): Field[] => [
  { name: "tls_versions", label: "TLS versions", as: "lines", help: `TLSv1.2, TLSv1.3, one a line; empty: ${help}`, when },
  { name: "tls_ciphers", label: "Ciphers", help: "As OpenSSL names them, with colons between; empty: the usual", when },
  { name: "alpn_protocols", label: "ALPN", as: "lines", help: "h2, http/1.1, one a line", when },
];
const isHttp = (values: Record<string, any>): boolean => String(values.type).startsWith("HTTP");

export const BALANCING: Declared[] = [
  {
    ...COMMON,
    kind: "loadbalancers",
    title: "Load balancers",
    one: "load balancer",
    columns: [
      NAME,
      ...STATES,
      { name: "vip_address", title: "VIP", cell: (one) => <Mono>{one.vip_address}</Mono> },
      { name: "vip_subnet_id", title: "Subnet", cell: (one) => <Ref kind="subnets" id={one.vip_subnet_id} /> },
      { name: "listeners", title: "Listeners", cell: (one) => <Refs kind="listeners" ids={ids(one.listeners)} /> },
      projectColumn,
    ],
    filters: ["name", "provisioning_status", "operating_status", "vip_address"],
    refs: { flavor_id: "lb_flavors", availability_zone: "lb_zones", vip_port_id: "ports", vip_subnet_id: "subnets", vip_network_id: "networks", vip_qos_policy_id: "policies", vip_sg_ids: "security_groups", pools: "pools" },
    hide: ["listeners", "vip_vnic_type"],
    fields: [
      { name: "name" },
      UP,
      { name: "vip_qos_policy_id", label: "QoS policy", as: "ref", of: "policies" },
      { name: "vip_sg_ids", label: "Security groups", as: "refs", of: "security_groups" },
      DESCRIPTION,
      PROJECT,
    ],
    more: "its listeners, pools, members, monitors and L7 policies",
    newPage: BalancePage,
    parts: (one) => (
      <>
        <StatusTree balancer={one} />
        <Counters path={`loadbalancers/${part(one.id)}`} />
        <Members kind="listeners" by="loadbalancer_id" id={one.id} title="Listeners" add="Add a listener" />
        <Members kind="pools" by="loadbalancer_id" id={one.id} title="Pools" add="Add a pool" />
      </>
    ),
  },
  {
    ...COMMON,
    kind: "listeners",
    title: "Listeners",
    one: "listener",
    columns: [
      NAME,
      ...STATES,
      { name: "protocol", title: "Protocol", cell: (one) => <Mono>{one.protocol}</Mono> },
      { name: "protocol_port", title: "Port", cell: (one) => <Mono>{one.protocol_port}</Mono> },
      { name: "default_pool_id", title: "Pool", cell: (one) => <Ref kind="pools" id={one.default_pool_id} /> },
      OF_BALANCER,
      projectColumn,
    ],
    filters: ["name", "protocol", "protocol_port"],
    refs: { loadbalancers: "loadbalancers", default_pool_id: "pools" },
    hide: ["l7policies"],
    fields: [
      { name: "name" },
      asked("loadbalancer_id", "Load balancer", "loadbalancers"),
      { name: "protocol" },
      number("protocol_port", "Port"),
      { name: "default_pool_id", label: "Pool", as: "ref", of: "pools" },
      held("default_tls_container_ref", "Certificate", "certificate", (values) => terminated(values) || Boolean(values.default_tls_container_ref)),
      { ...held("sni_container_refs", "Certificates of other names (SNI)", "certificate", terminated, "refs"), help: "Chosen by the name that a client asks for" },
      { name: "client_authentication", label: "Certificates of clients", when: terminated },
      held("client_ca_tls_container_ref", "Authorities of clients", "authorities", terminated),
      held("client_crl_container_ref", "Revoked certificates of clients", "revoked", terminated),
      ...tls(terminated, "the usual"),
      { ...number("hsts_max_age", "HSTS for so many seconds", "Browsers come by TLS only; empty: not told"), when: terminated },
      { name: "hsts_include_subdomains", label: "HSTS: names below, too", when: (values) => terminated(values) && Boolean(values.hsts_max_age) },
      { name: "hsts_preload", label: "HSTS: may be in browsers' lists", when: (values) => terminated(values) && Boolean(values.hsts_max_age) },
      { name: "allowed_cidrs", label: "Who may come", as: "lines", help: "CIDRs, one a line; empty: everybody" },
      { name: "insert_headers", label: "Headers put in", as: "area", help: "HEADER: VALUE, one a line, such as X-Forwarded-For: true", when: (values) => /HTTP/.test(values.protocol) && values.protocol !== "HTTPS", ...headers },
      number("connection_limit", "Connections at once", "-1: as many as come"),
      number("timeout_client_data", "Silence of a client, ms"),
      number("timeout_member_connect", "Connecting to a member, ms"),
      number("timeout_member_data", "Silence of a member, ms"),
      number("timeout_tcp_inspect", "Waiting for more of a connection's beginning, ms"),
      UP,
      DESCRIPTION,
    ],
    parts: (one) => (
      <>
        <Counters path={`listeners/${part(one.id)}`} />
        <Members kind="l7policies" by="listener_id" id={one.id} title="L7 policies" add="Add an L7 policy" />
      </>
    ),
  },
  {
    ...COMMON,
    kind: "pools",
    title: "Pools",
    one: "pool",
    columns: [
      NAME,
      ...STATES,
      { name: "protocol", title: "Protocol", cell: (one) => <Mono>{one.protocol}</Mono> },
      { name: "lb_algorithm", title: "Algorithm", cell: (one) => <Mono>{one.lb_algorithm}</Mono> },
      { name: "members", title: "Members", cell: (one) => <code>{one.members.length}</code> },
      { name: "healthmonitor_id", title: "Monitor", cell: (one) => <Ref kind="healthmonitors" id={one.healthmonitor_id} /> },
      OF_BALANCER,
      projectColumn,
    ],
    filters: ["name", "protocol", "lb_algorithm"],
    refs: { loadbalancers: "loadbalancers", listeners: "listeners", healthmonitor_id: "healthmonitors" },
    hide: ["members"],
    fields: [
      { name: "name" },
      asked("loadbalancer_id", "Load balancer", "loadbalancers"),
      asked("listener_id", "Listener that it is the default of", "listeners", "None: of no listener yet"),
      { name: "protocol" },
      { name: "lb_algorithm", label: "Algorithm" },
      { name: "session_persistence", label: "Session persistence", help: "SOURCE_IP, HTTP_COOKIE, or APP_COOKIE NAME; empty: none", ...persistence },
      { name: "tls_enabled", label: "TLS to the members" },
      held("ca_tls_container_ref", "Authorities of members", "authorities", encrypted),
      held("crl_container_ref", "Revoked certificates of members", "revoked", encrypted),
      held("tls_container_ref", "Certificate shown to members", "certificate", encrypted),
      ...tls(encrypted, "the usual"),
      UP,
      DESCRIPTION,
    ],
    parts: (one) => <PoolMembers pool={one} />,
  },
  {
    ...COMMON,
    kind: "healthmonitors",
    title: "Health monitors",
    one: "health monitor",
    columns: [
      NAME,
      ...STATES,
      { name: "type", title: "Type", cell: (one) => <Mono>{one.type}</Mono> },
      { name: "delay", title: "Each", cell: (one) => <code>{one.delay} s</code> },
      { name: "pools", title: "Pool", cell: (one) => <Refs kind="pools" ids={ids(one.pools)} /> },
      projectColumn,
    ],
    filters: ["name", "type"],
    refs: { pools: "pools" },
    fields: [
      { name: "name" },
      asked("pool_id", "Pool", "pools"),
      { name: "type" },
      { ...number("delay", "Each so many seconds"), initial: () => "5" },
      { ...number("timeout", "Answered within so many seconds"), initial: () => "3" },
      { ...number("max_retries", "Well after so many answers"), initial: () => "2" },
      number("max_retries_down", "Failed after so many without"),
      { name: "http_version", label: "HTTP version", when: isHttp },
      { name: "http_method", label: "Method", when: isHttp },
      { name: "url_path", label: "Path", help: "Empty: /", when: isHttp },
      { name: "expected_codes", label: "Codes that are well", help: "200; 200, 202; or 200-204", when: isHttp },
      { name: "domain_name", label: "Host", when: isHttp },
      UP,
    ],
  },
  {
    ...COMMON,
    kind: "l7policies",
    title: "L7 policies",
    one: "L7 policy",
    columns: [
      NAME,
      ...STATES,
      { name: "position", title: "Position", cell: (one) => <code>{one.position}</code> },
      { name: "action", title: "Action", cell: (one) => <Mono>{one.action}</Mono> },
      { name: "listener_id", title: "Listener", cell: (one) => <Ref kind="listeners" id={one.listener_id} /> },
      { name: "redirect_pool_id", title: "To", cell: (one) => (one.redirect_pool_id ? <Ref kind="pools" id={one.redirect_pool_id} /> : <Mono>{one.redirect_url ?? one.redirect_prefix}</Mono>) },
      projectColumn,
    ],
    filters: ["name", "action"],
    refs: { listener_id: "listeners", redirect_pool_id: "pools" },
    hide: ["rules"],
    fields: [
      { name: "name" },
      asked("listener_id", "Listener", "listeners"),
      { name: "action" },
      { name: "redirect_pool_id", label: "To the pool", as: "ref", of: "pools", when: (values) => values.action === "REDIRECT_TO_POOL" },
      { name: "redirect_url", label: "To the URL", when: (values) => values.action === "REDIRECT_TO_URL" },
      { name: "redirect_prefix", label: "To URLs that begin with", when: (values) => values.action === "REDIRECT_PREFIX" },
      { ...number("redirect_http_code", "With the code", "Empty: 302"), when: (values) => ["REDIRECT_TO_URL", "REDIRECT_PREFIX"].includes(values.action) },
      { ...number("position", "Position", "Empty: the last"), initial: () => "" },
      UP,
      DESCRIPTION,
    ],
    parts: (one) => <L7Rules policy={one} />,
  },
];
