// The demo's picture, alive: a port from the API's object to its tap, the bridges with their tags, the wire, and the other
// side.  `#/wiring/PORT?with=PORT`
import type { JSX } from "preact";
import { type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { go, goHere, href, place } from "../route";
import { session } from "../session";
import { short } from "../ui/cells";
import { Refused, Waiting } from "../ui/notice";
import { useWiring } from "../wiring/asked";
import { FarSides, Leg, NetworkOf, Wire } from "../wiring/leg";

const MOST = 300;
const FIELDS = ["id", "name", "status", "fixed_ips", "mac_address", "network_id", "device_owner", "device_id", "binding:host_id"];
const fields: [string, string][] = FIELDS.map((name) => ["fields", name]);
const isPlugged = (port: Thing): boolean => !port.device_owner.startsWith("network:");

export function WiringPage(): JSX.Element {
  const id = place.value.path[1];
  return (
    <section>
      <header class="head">
        <h1>Wiring</h1>
        {id && (
          <>
            <a class="button" href={href(["ports", id])}>
              The port
            </a>
            <a class="button" href={href(["topology"], [["at", id]])}>
              Topology
            </a>
          </>
        )}
      </header>
      {id ? <Wired key={id} id={id} /> : <Choose />}
    </section>
  );
}

function Choose(): JSX.Element {
  const mine = session.value?.project?.id ?? "";
  const url = `ports${query([["project_id", mine], ["limit", String(MOST)], ...fields])}`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), ["ports"]);
  const ports: Thing[] = (value?.ports ?? []).filter(isPlugged);
  return (
    <>
      <p class="dim">How a port is wired: from its VM over the bridges of its hypervisor to the wire, and to another port.</p>
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {value && !ports.length && <p class="empty">There are no ports.</p>}
      <ul class="plainlist narrow">
        {ports.map((port) => (
          <li key={port.id}>
            <a href={href(["wiring", port.id])}>{port.name || short(port.id)}</a>{" "}
            <code>{port.fixed_ips.map((ip: Thing) => ip.ip_address).join(" ")}</code>
          </li>
        ))}
      </ul>
    </>
  );
}

function Wired({ id }: { id: string }): JSX.Element {
  const url = `ports/${part(id)}`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), ["ports"]);
  const port: Thing | undefined = value?.port;
  const about = port && `networks/${part(port.network_id)}`;
  const { value: found } = useData<Thing>(about ?? "", (signal) => (about ? api.get(about, signal) : Promise.resolve({})), ["networks"]);
  const beside = port && `ports${query([["network_id", port.network_id], ["limit", String(MOST)], ...fields])}`;
  const { value: all } = useData<Thing>(beside ?? "", (signal) => (beside ? api.get(beside, signal) : Promise.resolve({})), ["ports"]);
  const others: Thing[] = (all?.ports ?? []).filter((one: Thing) => one.id !== id && isPlugged(one));
  const wanted = place.value.query.get("with");
  const elsewhere = others.find((one) => one["binding:host_id"] && one["binding:host_id"] !== port?.["binding:host_id"] && one.status === "ACTIVE");
  const other = wanted === "none" ? undefined : (others.find((one) => one.id === wanted) ?? elsewhere);
  const left = useWiring(port && id);
  const right = useWiring(other?.id);
  if (!port) return refusal ? <Refused by={refusal} /> : <Waiting />;
  const choose = (id: string): void => goHere(new URLSearchParams([["with", id]]));
  return (
    <>
      <div class="switches">
        <span>
          on network <NetworkOf id={port.network_id} />
        </span>
        <label>
          and the other side{" "}
          <select value={other?.id ?? "none"} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="none">–</option>
            {others.map((one) => (
              <option key={one.id} value={one.id}>
                {[one.name || short(one.id), one["binding:host_id"] && `on ${one["binding:host_id"]}`].filter(Boolean).join(" ")}
              </option>
            ))}
          </select>
        </label>
        {other && (
          <>
            <a href={href(["trace"], [["from", id], ["to", other.id]])}>trace from here to there</a>
            <button type="button" class="small" onClick={() => go(["wiring", other.id], [["with", id]])}>
              turn round
            </button>
          </>
        )}
      </div>
      <div class={other ? "legs" : "legs one"}>
        <Leg port={port} network={found?.network} asked={left} />
        {other && <Leg port={other} network={found?.network} asked={right} />}
        <Wire left={left.told} right={right.told} />
      </div>
      {left.told?.node && <FarSides node={left.told.node} />}
      <p class="dim">Open vSwitch counts each five seconds.</p>
    </>
  );
}
