// Lists that are written one a line, and how one is read.

export const pool = {
  from: (line: string) => {
    const [start, end] = line.split(/\s*-\s*|\s+/);
    return { start, end: end ?? start };
  },
  to: (value: { start: string; end: string }) => `${value.start} - ${value.end}`,
};

export const hostRoute = {
  from: (line: string) => {
    const [destination, nexthop] = line.split(/\s+via\s+|\s+/);
    return { destination, nexthop: nexthop ?? "" };
  },
  to: (value: { destination: string; nexthop: string }) => `${value.destination} via ${value.nexthop}`,
};

export const fixedIp = {
  from: (line: string) => {
    const [first, second] = line.split(/\s+in\s+|\s+/);
    if (second) return { ip_address: first, subnet_id: second };
    return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(first) ? { subnet_id: first } : { ip_address: first };
  },
  to: (value: { ip_address: string; subnet_id: string }) => `${value.ip_address} in ${value.subnet_id}`,
};

// what carries a network: its type, and what that type needs
export const segment = {
  from: (line: string) => {
    const [type, ...rest] = line.split(/\s+/);
    const id = rest.find((word) => /^\d+$/.test(word));
    const physical = rest.find((word) => word !== id);
    return {
      "provider:network_type": type,
      ...(physical === undefined ? {} : { "provider:physical_network": physical }),
      ...(id === undefined ? {} : { "provider:segmentation_id": Number(id) }),
    };
  },
  to: (value: Record<string, unknown>) =>
    [value["provider:network_type"], value["provider:physical_network"], value["provider:segmentation_id"]].filter((part) => part !== null && part !== undefined).join(" "),
};

export const pair = {
  from: (line: string) => {
    const [ip_address, mac_address] = line.split(/\s+/);
    return mac_address ? { ip_address, mac_address } : { ip_address };
  },
  to: (value: { ip_address: string; mac_address: string }) => `${value.ip_address} ${value.mac_address}`,
};

export const dhcpOption = {
  from: (line: string) => {
    const [opt_name, ...rest] = line.split("=");
    return { opt_name: opt_name.trim(), opt_value: rest.join("=").trim() || null };
  },
  to: (value: { opt_name: string; opt_value: string }) => `${value.opt_name}=${value.opt_value}`,
};

export const subPort = {
  from: (line: string) => {
    const [port_id, tag] = line.split(/\s+/);
    return { port_id, segmentation_type: "vlan", segmentation_id: Number(tag) };
  },
  to: (value: { port_id: string; segmentation_id: number }) => `${value.port_id} ${value.segmentation_id}`,
};

// the kinds of a load balancer's tree: a change of one may change what is told of any
export const BALANCED = ["loadbalancers", "listeners", "pools", "members", "healthmonitors", "l7policies", "l7rules"];

// ADDRESS:PORT or [IPv6]:PORT, and a weight.  What is no port stays text: the API says what is wrong with it
export const member = {
  from: (line: string) => {
    const [where, weight] = line.split(/\s+/);
    const [, six, four, port] = /^(?:\[(.*)\]|([^:]*))(?::([^:\]]*))?$/.exec(where) ?? [];
    const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);
    return { address: six ?? four ?? where, ...(port ? { protocol_port: number(port) } : {}), ...(weight ? { weight: number(weight) } : {}) };
  },
  to: (value: { address: string; protocol_port: number }) => `${value.address.includes(":") ? `[${value.address}]` : value.address}:${value.protocol_port}`,
};

// how a client comes back to its member: TYPE, and a cookie's name
export const persistence = {
  from: (text: string) => {
    const [type, cookie_name] = text.split(/\s+/);
    return { type, ...(cookie_name ? { cookie_name } : {}) };
  },
  to: (value: { type: string; cookie_name?: string | null }) => [value.type, value.cookie_name].filter(Boolean).join(" "),
};

// a port, or FIRST:LAST: in attributes of their own
export function ports(side: "external" | "internal", text: string): Record<string, unknown> {
  const said = text.trim().replace(/\s*-\s*/, ":");
  return /^\d+$/.test(said) ? { [`${side}_port`]: Number(said) } : said ? { [`${side}_port_range`]: said } : {};
}

// headers of HTTP, one a line
export const headers = {
  from: (text: string) => Object.fromEntries(text.split("\n").map((line) => line.split(/:\s*/, 2)).filter(([name]) => name.trim())),
  to: (value: Record<string, string>) => Object.entries(value).map((one) => one.join(": ")).join("\n"),
};
