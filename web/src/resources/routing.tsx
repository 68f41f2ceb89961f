// Routers and floating IPs.
import { api, part } from "../api";
import { Forwardings } from "../ui/forwardings";
import { Gateways } from "../ui/gateways";
import { ConntrackHelpers } from "../ui/helpers";
import { Interfaces } from "../ui/interfaces";
import { Addresses, Many, Mono, Ref } from "../ui/cells";
import { hostRoute } from "./lines";
import { DESCRIPTION, NAME, PROJECT, STATE, UP, projectColumn } from "./standard";
import type { Declared } from "./types";

export const ROUTING: Declared[] = [
  {
    kind: "routers",
    title: "Routers",
    one: "router",
    group: "Routing",
    columns: [
      NAME,
      STATE,
      {
        name: "external_gateway_info",
        title: "Gateway",
        cell: (one) =>
          one.external_gateway_info ? (
            <>
              <Ref kind="networks" id={one.external_gateway_info.network_id} />{" "}
              <Addresses of={one.external_gateway_info.external_fixed_ips} />
            </>
          ) : (
            <span class="dim">none</span>
          ),
      },
      {
        name: "routes",
        title: "Routes",
        cell: (one) => <Many items={(one.routes ?? []).map((route: any) => <code key={route.destination}>{hostRoute.to(route)}</code>)} />,
      },
      projectColumn,
    ],
    filters: ["name"],
    refs: { flavor_id: "flavors" },
    hide: ["external_gateways", "conntrack_helpers"],
    fields: [
      { name: "name" },
      {
        name: "external_gateway_info",
        label: "Gateway: external network",
        as: "ref",
        of: "networks",
        asking: { "router:external": "true" },
        help: "None: it routes between its subnets only",
        from: (network_id) => ({ network_id }),
        to: (info) => info.network_id,
      },
      UP,
      { name: "routes", label: "Routes", as: "lines", help: "CIDR via ADDRESS, one a line", ...hostRoute },
      { name: "flavor_id", label: "Flavor", as: "ref", of: "flavors", asking: { enabled: "true" } },
      { name: "availability_zone_hints", label: "Availability zones", as: "lines", help: "One name a line: where its gateway is to be" },
      { name: "distributed", label: "Distributed" },
      { name: "ha", label: "Highly available" },
      { name: "enable_default_route_ecmp" },
      { name: "enable_default_route_bfd" },
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => (
      <>
        <Interfaces router={one} />
        <Gateways router={one} />
        <ConntrackHelpers router={one} />
      </>
    ),
  },
  {
    kind: "floatingips",
    title: "Floating IPs",
    one: "floating IP",
    group: "Routing",
    name: "floating_ip_address",
    columns: [
      { name: "floating_ip_address", title: "Address", cell: (one) => <code>{one.floating_ip_address}</code> },
      { name: "status", title: "Status", cell: STATE.cell },
      { name: "port_id", title: "Port", cell: (one) => <Ref kind="ports" id={one.port_id} /> },
      { name: "fixed_ip_address", title: "Inside", cell: (one) => <Mono>{one.fixed_ip_address}</Mono> },
      { name: "router_id", title: "Router", cell: (one) => <Ref kind="routers" id={one.router_id} /> },
      { name: "floating_network_id", title: "Network", cell: (one) => <Ref kind="networks" id={one.floating_network_id} /> },
      {
        name: "port_forwardings",
        title: "Forwardings",
        cell: (one) => (one.port_forwardings?.length ? <code>{one.port_forwardings.length}</code> : <span class="dim">–</span>),
      },
      projectColumn,
    ],
    filters: ["floating_ip_address", "status", "fixed_ip_address"],
    refs: { port_id: "ports", router_id: "routers", floating_network_id: "networks", qos_policy_id: "policies", qos_network_policy_id: "policies" },
    hide: ["port_forwardings", "port_details"],
    fields: [
      { name: "floating_network_id", label: "External network", as: "ref", of: "networks", asking: { "router:external": "true" } },
      { name: "subnet_id", label: "Subnet there", as: "ref", of: "subnets", help: "None: any that has an address" },
      { name: "floating_ip_address", label: "Address", help: "Empty: any that is free" },
      { name: "port_id", label: "Port that it leads to", as: "ref", of: "ports", initial: (query) => query.get("port_id") ?? "" },
      { name: "fixed_ip_address", label: "Address inside", help: "Where the port has several", when: (values) => Boolean(values.port_id) },
      { name: "dns_name", label: "DNS name", help: "Kept, and shown" },
      { name: "dns_domain", label: "DNS domain", help: "Kept, and shown; with a dot at its end" },
      { name: "qos_policy_id", label: "QoS policy", as: "ref", of: "policies" },
      DESCRIPTION,
      PROJECT,
    ],
    actions: [
      {
        title: "Disassociate",
        may: (one) => Boolean(one.port_id),
        run: (one) => api.put(`floatingips/${part(one.id)}`, { floatingip: { port_id: null } }),
      },
    ],
    parts: (one) => <Forwardings floatingip={one} />,
  },
];

