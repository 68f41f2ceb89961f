// Whether a packet passes, its way there and back, and all that is in its way.  The address holds the question; it is
// asked again when something of the project changes.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { useAgain } from "../again";
import { type Thing, api, query } from "../api";
import { useData } from "../data";
import { useKeys } from "../keys";
import { go, href, place } from "../route";
import { session } from "../session";
import { draw } from "../topology/draw";
import { Picture } from "../topology/picture";
import { useTopology } from "../topology/store";
import { Said } from "../trace/said";
import { Nodes, Way } from "../trace/way";
import { Findings } from "../ui/explained";
import { Refused, Waiting } from "../ui/notice";

const AGAIN_MS = 2000; // nodes are asked, too: changes that come one upon the other are one
const KINDS = ["ports", "networks", "subnets", "routers", "floatingips", "security_groups", "security_group_rules"];
const PROTOCOLS = ["icmp", "tcp", "udp", "sctp"];
const NONE: ReadonlySet<string> = new Set();
const LAYERS: Record<string, string> = { api: "by the API's objects", openvswitch: "in Open vSwitch" };

export function TracePage(): JSX.Element {
  const asked = place.value.query;
  const ready = asked.get("from") && asked.get("to");
  return (
    <section>
      <header class="head">
        <h1>Trace</h1>
      </header>
      <Question key={String(asked)} asked={asked} />
      {ready ? <Answer asked={asked} /> : <p class="dim">Whether a packet gets from one end to the other and its answer back, and everything that is in its way.</p>}
    </section>
  );
}

function Question({ asked }: { asked: URLSearchParams }): JSX.Element {
  const [protocol, setProtocol] = useState(asked.get("protocol") ?? "icmp");
  useKeys([{ key: "/", does: "to the question", run: () => document.querySelector<HTMLInputElement>("#trace-from")?.focus() }]);
  const submit = (event: Event): void => {
    event.preventDefault();
    const said = new FormData(event.currentTarget as HTMLFormElement);
    const next = [...said].map(([name, value]): [string, string] => [name, String(value).trim()]).filter(([, value]) => value);
    go(["trace"], next);
  };
  return (
    <form class="traced" onSubmit={submit}>
      <Ends />
      <label>
        From
        <input id="trace-from" name="from" list="ends" required size={26} defaultValue={asked.get("from") ?? ""} placeholder="port, address or outside" />
      </label>
      <label>
        To
        <input name="to" list="ends" required size={26} defaultValue={asked.get("to") ?? ""} placeholder="port, address, floating IP" />
      </label>
      <label>
        Protocol
        <input name="protocol" list="protocols" size={7} value={protocol} onInput={(event) => setProtocol(event.currentTarget.value)} />
        <datalist id="protocols">
          {PROTOCOLS.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      </label>
      {!/^(icmp.*|1|58|)$/.test(protocol) && (
        <label>
          Port
          <input name="port" inputMode="numeric" size={6} defaultValue={asked.get("port") ?? ""} />
        </label>
      )}
      <label class="tick">
        <input type="checkbox" name="reply" value="1" defaultChecked={asked.get("reply") === "1"} /> its answer, too
      </label>
      <button class="main">Trace</button>
    </form>
  );
}

// ports by what they are called, where that is one, and floating IPs
function Ends(): JSX.Element {
  const fields: [string, string][] = ["id", "name", "fixed_ips", "device_owner"].map((name) => ["fields", name]);
  const mine = session.value?.project?.id ?? "";
  const url = `ports${query([["project_id", mine], ["limit", "500"], ...fields])}`;
  const { value } = useData<Thing>(url, (signal) => api.get(url, signal));
  const floating = `floatingips${query([["project_id", mine], ["limit", "200"], ["fields", "floating_ip_address"]])}`;
  const { value: outside } = useData<Thing>(floating, (signal) => api.get(floating, signal));
  const ports: Thing[] = (value?.ports ?? []).filter((port: Thing) => !port.device_owner.startsWith("network:"));
  const count = new Map<string, number>();
  for (const port of ports) count.set(port.name, (count.get(port.name) ?? 0) + 1);
  return (
    <datalist id="ends">
      <option value="outside">anybody outside</option>
      {ports.map((port) => (
        <option key={port.id} value={port.name && count.get(port.name) === 1 ? port.name : port.id}>
          {[port.name, ...port.fixed_ips.map((ip: Thing) => ip.ip_address)].join(" ")}
        </option>
      ))}
      {(outside?.floatingips ?? []).map((one: Thing) => (
        <option key={one.floating_ip_address} value={one.floating_ip_address}>
          floating IP
        </option>
      ))}
    </datalist>
  );
}

function bodyOf(asked: URLSearchParams): Thing {
  const port = asked.get("port");
  const body: Thing = { from: asked.get("from"), to: asked.get("to"), protocol: asked.get("protocol") || "icmp" };
  if (port) body.port = /^\d+$/.test(port) ? Number(port) : port;
  return body;
}

function Answer({ asked }: { asked: URLSearchParams }): JSX.Element {
  const body = bodyOf(asked);
  const key = `${session.value?.project?.id} ${JSON.stringify(body)}`;
  const { value, refusal, again } = useData<Thing>(key, () => api.post("netweft/trace", { trace: body }));
  useAgain(key, KINDS, again, AGAIN_MS);
  useKeys([{ key: "r", does: "trace again", run: again }]);
  const told: Thing | undefined = value?.trace;
  if (!told) return refusal ? <Refused by={refusal} /> : <Waiting />;
  return (
    <>
      <Refused by={refusal} />
      <Verdict told={told} />
      <Drawn told={told} />
      <Findings of={told.findings.map((one: Thing) => ({ ...one, message: one.direction === "return" ? `Of the answer: ${one.message}` : one.message, detail: one.detail && <Said text={one.detail} /> }))} />
      <div class={told.nodes.length ? "" : "halves"}>
        <Direction told={told} direction="forward" title="There" />
        {asked.get("reply") === "1" && <Direction told={told} direction="return" title="Back" />}
      </div>
      {[...told.assumptions.map((one: string) => `Supposed: ${one}.`), ...told.unseen.map((one: string) => `Not seen: ${one}.`)].map((one) => (
        <p key={one} class="dim">
          {one}
        </p>
      ))}
    </>
  );
}

function Verdict({ told }: { told: Thing }): JSX.Element {
  const [look, words] = told.passes === null ? ["idle", "not found out whether it passes"] : told.passes ? ["good", "it passes, and its answer does"] : ["bad", "it does not pass"];
  return (
    <div role="status">
      <p class="verdict">
        <strong class={`state ${look}`}>{words}</strong>
        {told.parts_at && <span class="note">stopped {LAYERS[told.parts_at] ?? told.parts_at}</span>}
      </p>
      <dl class="facts">
        {Object.entries<Thing>(told.layers).map(([layer, says]) => (
          <>
            <dt>{LAYERS[layer] ?? layer}</dt>
            <dd>
              there: {says.forward}, back: {says.return}
            </dd>
          </>
        ))}
      </dl>
    </div>
  );
}

function Direction({ told, direction, title }: { told: Thing; direction: "forward" | "return"; title: string }): JSX.Element | null {
  const way = told[direction];
  const nodes = told.nodes.filter((node: Thing) => node.direction === direction);
  const blocked = new Set<string>(told.findings.filter((one: Thing) => one.blocks && one.direction === direction).map((one: Thing) => one.object.id));
  if (!way) return null;
  return (
    <section class="part">
      <h2>{title}</h2>
      <div class="halves">
        <div>
          <Way way={way} blocked={blocked} />
        </div>
        {nodes.length > 0 && (
          <div>
            <Nodes nodes={nodes} />
          </div>
        )}
      </div>
    </section>
  );
}

// its way on the topology: only what it meets
function Drawn({ told }: { told: Thing }): JSX.Element | null {
  const steps: Thing[] = [...(told.forward?.steps ?? []), ...(told.return?.steps ?? [])];
  const ids = [...new Set<string>(steps.map((step) => step.id).filter(Boolean))].sort();
  const { things, again } = useTopology(`way ${ids.join()}`, { ids });
  const lit = useMemo(() => new Set([...ids, ...steps.filter((step) => step.type === "port").map((step) => `ports ${things?.ports.get(step.id)?.network_id}`)]), [things, ids.join()]);
  const drawn = useMemo(() => things && draw(things, { hops: 1, open: NONE, keep: lit, only: lit }), [things, again, lit]);
  if (!drawn?.drawing.boxes.length) return null;
  const stops = new Set<string>(told.findings.filter((one: Thing) => one.blocks).map((one: Thing) => one.object.id));
  return <Picture drawing={drawn.drawing} placed={drawn.placed} zoom={1} lit={lit} stops={stops} opened={() => href(["topology"])} />;
}
