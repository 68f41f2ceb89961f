// The region's nodes for admins: what each is and how far behind, who has tunnels with whom, who is wired to what.
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { useAgain } from "../again";
import { type Thing, api, query } from "../api";
import { useData } from "../data";
import { type Node, SIGHTS, behind, nodesOf, onPhysical, pair, seenOf } from "../fabric/nodes";
import "../fabric/fabric.css";
import { goHere, href, place } from "../route";
import { Alive, Many } from "../ui/cells";
import { Refused, Waiting } from "../ui/notice";

const AGAIN_MS = 3000;
const MOST = 5000;
const SIDE = 40; // nodes of the matrix
const asked = (kind: string, names: string[]): string => kind + query([["limit", String(MOST)], ...["id", ...names].map((name): [string, string] => ["fields", name])]);
const PORTS = asked("ports", ["network_id", "status", "admin_state_up", "device_owner", "binding:host_id"]);
const NETWORKS = asked("networks", ["name", "provider:network_type", "provider:physical_network"]);

async function everything(signal: AbortSignal): Promise<Thing> {
  const [agents, feeds, ports, networks] = await Promise.all([api.get(`agents?limit=${MOST}`, signal), api.get("netweft/fabric", signal), api.get(PORTS, signal), api.get(NETWORKS, signal)]);
  return { agents: agents.agents, feeds: feeds.fabric.nodes, ports: ports.ports, networks: networks.networks };
}

export function FabricPage(): JSX.Element {
  const { value, refusal, again } = useData<Thing>("fabric", everything);
  useAgain("fabric", ["agents", "ports", "networks"], again, AGAIN_MS);
  const find = place.value.query.get("find") ?? "";
  const networks = useMemo(() => new Map<string, Thing>((value?.networks ?? []).map((one: Thing) => [one.id, one])), [value]);
  const all = useMemo(() => (value ? nodesOf(value.agents, value.feeds, value.ports) : []), [value]);
  const nodes = all.filter((node) => node.host.includes(find));
  return (
    <section>
      <header class="head">
        <h1>Fabric</h1>
        {all.length > 1 && (
          <label class="filter">
            <span class="hidden">Nodes whose name has</span>
            <input placeholder="nodes" value={find} onInput={(event) => goHere(new URLSearchParams(event.currentTarget.value ? [["find", event.currentTarget.value]] : []))} />
          </label>
        )}
      </header>
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {value && !nodes.length && <p class="empty">{find ? "No node is called so." : "There are no nodes yet: netweft node add NAME makes one."}</p>}
      {value?.ports.length >= MOST && <p class="dim">Counted are the first {MOST.toLocaleString("en")} ports.</p>}
      {nodes.length > 0 && (
        <>
          <Summary nodes={nodes} />
          <Nodes nodes={nodes} />
          {nodes.length > 1 && <Tunnels nodes={nodes} networks={networks} />}
          <Physical nodes={nodes} networks={networks} />
        </>
      )}
    </section>
  );
}

function Summary({ nodes }: { nodes: Node[] }): JSX.Element {
  const silent = nodes.filter((node) => !node.alive).length;
  const late = nodes.filter((node) => node.feed?.revisions).length;
  return (
    <p role="status">
      {nodes.length} nodes, <span class={`state ${silent ? "bad" : "good"}`}>{silent ? `${silent} silent` : "all alive"}</span>
      {late > 0 && <span class="state idle"> {late} behind</span>}
    </p>
  );
}

function Nodes({ nodes }: { nodes: Node[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Nodes">
      <table>
        <thead>
          <tr>
            {["Node", "Agent", "Behind the feed", "Tunnels", "Physical networks", "Ports", "Networks", "Gateways", "Open vSwitch"].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.host}>
              <th scope="row">
                <a href={href(["agents", node.id])}>{node.host}</a>
              </th>
              <td>
                <Alive is={node.alive} />
                {!node.up && <span class="note">admin down</span>}
                {node.detail && <span class="note">{node.detail}</span>}
              </td>
              <td>{node.feed?.revisions ? <span class="state idle">{behind(node)}</span> : behind(node)}</td>
              <td>
                <code>{node.tunnelIp || "–"}</code> <span class="note">{node.tunnelIp && node.tunnelTypes.join(", ")}</span>
              </td>
              <td>
                <Many items={node.bridges.map(([physical, bridge]) => <code key={physical}>{`${physical}:${bridge}`}</code>)} />
              </td>
              <td>
                {node.ports} {node.down > 0 && <span class="state idle">{node.down} down</span>}
              </td>
              <td>{node.networks.size}</td>
              <td>{node.gateways}</td>
              <td class="dim">{node.about || "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Known = { nodes: Node[]; networks: ReadonlyMap<string, Thing> };

function Tunnels({ nodes, networks }: Known): JSX.Element {
  const those = nodes.slice(0, SIDE);
  const url = `netweft/fabric/tunnels${query(those.map((node) => ["host", node.host]))}`;
  const { value, again } = useData<Thing>(url, (signal) => api.get(url, signal));
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && again(), AGAIN_MS); // it is not in the feed
    return () => clearInterval(timer);
  }, [url]);
  const tunnels: Thing[] = value?.tunnels ?? [];
  const seen = seenOf(tunnels);
  const silent = tunnels.filter((one) => one.why_not);
  return (
    <section class="part">
      <h2>Tunnels</h2>
      <p class="dim">How many networks two nodes have in common, by the ports that are bound to them, that go by a tunnel between them.{nodes.length > SIDE && ` The first ${SIDE} of ${nodes.length} nodes: narrow them by name.`} Nodes that have gateways and those that use them watch each other through the tunnel, by BFD: what the row sees of the column.</p>
      {silent.length > 0 && <p class="dim">Not known what they see: {silent.map((one) => `${one.host} (${one.why_not})`).join(", ")}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="Tunnels between nodes">
        <table class="matrix">
          <thead>
            <tr>
              <td />
              {those.map((node) => (
                <th key={node.host} scope="col">
                  {node.host}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {those.map((row) => (
              <tr key={row.host}>
                <th scope="row">{row.host}</th>
                {those.map((column) => (
                  <td key={column.host}>{row === column ? <span class="dim">·</span> : <Cell of={pair(row, column, networks)} seen={seen.get(row.host)?.get(column.host)} />}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cell({ of, seen }: { of: ReturnType<typeof pair>; seen?: string }): JSX.Element {
  return (
    <>
      {of.works === "none" ? (
        !seen && <span class="dim">–</span>
      ) : (
        <span class={`state ${of.works === "yes" ? "good" : of.works === "silent" ? "idle" : "bad"}`} title={`${of.networks} networks by ${of.types.join(", ")}`}>
          {of.networks} {of.types.join(" ")}
          {of.works !== "yes" && <span class="note">{of.works}</span>}
        </span>
      )}{" "}
      {seen && <Sight of={seen} />}
    </>
  );
}

function Sight({ of }: { of: string }): JSX.Element {
  const [look, word] = SIGHTS[of] ?? ["idle", of];
  return <span class={`state ${look}`}>BFD {word}</span>;
}

function Physical({ nodes, networks }: Known): JSX.Element | null {
  const names = [...new Set([...nodes.flatMap((node) => node.bridges.map(([physical]) => physical)), ...[...networks.values()].map((one) => one["provider:physical_network"]).filter(Boolean)])].sort();
  if (!names.length) return null;
  return (
    <section class="part">
      <h2>Physical networks</h2>
      <p class="dim">By which bridge a node is wired to each, and how many networks it has there.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Nodes and physical networks">
        <table class="matrix">
          <thead>
            <tr>
              <td />
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.host}>
                <th scope="row">{node.host}</th>
                {names.map((name) => {
                  const bridge = node.bridges.find(([physical]) => physical === name)?.[1];
                  const count = onPhysical(node, name, networks);
                  return <td key={name}>{bridge ? <><code>{bridge}</code> <span class="note">{count === 1 ? "1 network" : `${count || "no"} networks`}</span></> : <span class={count ? "state bad" : "dim"}>{count ? `${count} networks, not wired` : "–"}</span>}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
