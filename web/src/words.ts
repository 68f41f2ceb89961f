// What attributes are called, where no column and no field says so.  Pure.
const WORDS: Record<string, string> = {
  created_at: "Created", updated_at: "Updated", is_default: "Default", shared: "Shared",
  enable_default_route_ecmp: "Default routes by ECMP", enable_default_route_bfd: "Default routes watched by BFD",
  "netweft:nat66": "NAT66", ha: "HA",
}; // prettier-ignore
const SHORT = new Set(["id", "ip", "mac", "mtu", "vif", "vip", "vnic", "vlan", "qos", "dns", "dhcp", "tls", "url", "alpn", "hsts", "sni", "crl", "ca", "sg"]);

export function wordOf(name: string): string {
  const known = WORDS[name];
  if (known) return known;
  const words = name
    .replace(/^\w+:/, "")
    .split("_")
    .map((word) => (word === "ips" ? "IPs" : SHORT.has(word) ? word.toUpperCase() : word))
    .join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
