// What keeps an object from working, and who changed it: the API's explanation of it.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { href } from "../route";
import { Alive, Ref, Time } from "./cells";
import { Refused } from "./notice";
import { LIST } from "../resources/all";
import { BALANCED } from "../resources/lines";

const TYPES = new Set([
  "port", "network", "subnet", "trunk", "router", "floatingip",
  "security_group", "security_group_rule", "address_group", "policy", "agent", "subnetpool", "address_scope",
  "loadbalancer", "listener", "pool", "healthmonitor", "l7policy", "firewall_group", "firewall_policy", "firewall_rule",
]);
const KINDS = [
  "ports", "networks", "subnets", "trunks", "routers", "floatingips",
  "security_groups", "security_group_rules", "address_groups", "policies", "agents", ...BALANCED,
  "firewall_groups", "firewall_policies", "firewall_rules", "subnetpools", "address_scopes",
];
const kindOf = (member: string): string | undefined => LIST.find((one) => one.member === member)?.kind;

export const isExplained = (member: string): boolean => TYPES.has(member);

export function Explained({ id, revision }: { id: string; revision: number }): JSX.Element {
  const url = `netweft/explain/${part(id)}`;
  const { value, refusal } = useData<Thing>(`${url} ${revision}`, (signal) => api.get(url, signal), KINDS, 1500);
  const told: Thing | undefined = value?.explanation;
  return (
    <aside class="explained" aria-label="Explanation">
      <Refused by={refusal} />
      {told && (
        <>
          <h2>{told.works ? <span class="state good">no fault known</span> : <span class="state bad">it does not work</span>}</h2>
          <Findings of={told.findings} />
          {told.nodes.length > 0 && <Nodes of={told.nodes} />}
          <Changes of={told.changes} />
        </>
      )}
    </aside>
  );
}

export function Findings({ of }: { of: Thing[] }): JSX.Element {
  return (
    <ul class="findings">
      {of.map((one, at) => (
        <li key={at} class={one.blocks ? "blocks" : ""}>
          <p>
            {one.message} {kindOf(one.object.type) && <a href={href([kindOf(one.object.type)!, one.object.id])}>{one.object.name || one.object.type}</a>}
          </p>
          {one.detail && <p class="dim">{one.detail}</p>}
          {one.fix && <pre>{one.fix}</pre>}
          <small class="dim">
            {one.code}
            {one.fixed_by === "admin" && !one.fix ? ", an administrator can mend it" : ""}
          </small>
        </li>
      ))}
    </ul>
  );
}

function Nodes({ of }: { of: Thing[] }): JSX.Element {
  return (
    <ul class="plainlist">
      {of.map((node) => (
        <li key={node.host}>
          on <code>{node.host}</code> <Alive is={node.alive} />
          {node.feed?.revisions > 0 && <span class="note">{node.feed.revisions} revisions behind</span>}
        </li>
      ))}
    </ul>
  );
}

export function Changes({ of }: { of: Thing[] }): JSX.Element | null {
  if (!of.length) return null;
  return (
    <>
      <h3>Changes</h3>
      <ol class="changes">
        {alike(of).map(([one, times]) => (
          <li key={one.revision}>
            <Time at={one.at} /> {WORDS[one.operation] ?? one.operation}
            {times > 1 && ` ${times} times`} by <Actor by={one.by} />
          </li>
        ))}
      </ol>
    </>
  );
}

// what one did again and again is one line, of the last time
function alike(all: Thing[]): [Thing, number][] {
  const found: [Thing, number][] = [];
  for (const one of all) {
    const last = found.at(-1);
    if (last && last[0].by === one.by && last[0].operation === one.operation) last[1] += 1;
    else found.push([one, 1]);
  }
  return found;
}

const WORDS: Record<string, string> = { insert: "made", update: "changed", delete: "deleted" };

export function Actor({ by }: { by: string }): JSX.Element {
  const [type, id] = by.split(" ", 2);
  if (type === "user") return <Ref kind="users" id={id} />;
  return <code>{by || "unknown"}</code>;
}
