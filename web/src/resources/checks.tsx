// Saved checks: what must pass and what must not, and how it is.
import { api, part } from "../api";
import { Mono, State, Time } from "../ui/cells";
import { DESCRIPTION, NAME, PROJECT, projectColumn } from "./standard";
import type { Declared } from "./types";

const hasPorts = (values: Record<string, any>) => ["tcp", "udp", "sctp"].includes(values.protocol);

export const CHECKS: Declared[] = [
  {
    kind: "checks",
    title: "Checks",
    one: "check",
    group: "Project",
    columns: [
      NAME,
      { name: "status", title: "Status", cell: (one) => <State word={one.status} /> },
      { name: "status_since", title: "Since", cell: (one) => <Time at={one.status_since} /> },
      {
        name: "from",
        title: "Packet",
        text: (one) => `${one.from} ${one.to} ${one.protocol}`,
        cell: (one) => (
          <>
            {one.from} → {one.to}, <Mono>{[one.protocol, one.port].filter(Boolean).join(" ")}</Mono> {one.must_pass ? "" : "must not pass"}
          </>
        ),
      },
      { name: "code", title: "Why", cell: (one) => <Mono>{one.code}</Mono> },
      projectColumn,
    ],
    filters: ["name", "status", "code"],
    fields: [
      { name: "name" },
      DESCRIPTION,
      { name: "from", label: "From", help: "The name or ID of a port, an address, a floating IP, or outside" },
      { name: "to", label: "To", help: "As from" },
      { name: "protocol", label: "Protocol", as: "choice", choices: ["icmp", "tcp", "udp", "sctp"], initial: () => "icmp" },
      { name: "port", label: "Port", as: "number", when: hasPorts },
      { name: "must_pass", label: "It must pass: else it must not" },
      PROJECT,
    ],
    actions: [{ title: "Run", run: (one) => api.post(`netweft/checks/${part(one.id)}/run`, {}) }],
  },
];
