// A packet's way, drawn as hops from above to below; beside it what each node's Open vSwitch does, to who may see that.
import type { JSX } from "preact";
import type { Thing } from "../api";
import { href } from "../route";
import { LIST } from "../resources/all";
import { Id, Mono } from "../ui/cells";
import { Said } from "./said";
import "./trace.css";

const kindOf = (type: string): string | undefined => LIST.find((one) => one.member === type)?.kind;

export function Way({ way, blocked }: { way: Thing; blocked: ReadonlySet<string> }): JSX.Element {
  let last = "";
  return (
    <ol class="hops">
      {way.steps.map((step: Thing, at: number) => {
        const packet = step.packet === last ? "" : step.packet;
        last = step.packet;
        const end = at === way.steps.length - 1;
        const stops = blocked.has(step.id) && /does not|no rule|drop|refuses/.test(step.does);
        return (
          <li key={at} class={`hop ${step.type}${stops ? " stops" : ""}${end ? ` end-${way.ends}` : ""}`}>
            {packet && <code class="packet">{packet}</code>}
            <p>
              <span class="what">{step.type.replace("floatingip", "floating IP")}</span> <Named step={step} />
              <span class="note">{under(step)}</span>
            </p>
            <p class="does">
              <Said text={step.does} />
            </p>
          </li>
        );
      })}
    </ol>
  );
}

function Named({ step }: { step: Thing }): JSX.Element | null {
  const kind = kindOf(step.type);
  if (!step.id) return null;
  const text = step.name || <Id id={step.id} />;
  return kind ? <a href={href([kind, step.id])}>{text}</a> : <span>{text}</span>;
}

function under(step: Thing): string {
  const segment = [step["provider:network_type"], step["provider:physical_network"], step["provider:segmentation_id"]];
  return [step.host && `on ${step.host}`, segment.filter((part) => part !== undefined && part !== null).join(" ")].filter(Boolean).join(", ");
}

export function Nodes({ nodes }: { nodes: Thing[] }): JSX.Element {
  return (
    <ol class="hops">
      {nodes.map((node, at) => (
        <li key={at} class="hop node">
          <p>
            <span class="what">node</span> <strong>{node.host}</strong>
            <span class="note">
              revision {node.revision}
              {node.in_place ? "" : ", not all in place yet"}
            </span>
          </p>
          <p class="chain">{chain(node)}</p>
          {node.ends.map((end: Thing, at: number) => (
            <p key={at} class={end.kind === "drop" ? "state bad" : "state good"}>
              {exit(end)}
            </p>
          ))}
          {node.connections.length > 0 && <Mono>{node.connections.join("\n")}</Mono>}
          {node.flows.length > 0 && (
            <details>
              <summary>{node.flows.length === 1 ? "1 flow" : `${node.flows.length} flows`}</summary>
              <ul class="flows">
                {node.flows.map((flow: Thing, at: number) => (
                  <li key={at}>
                    <code>
                      {flow.bridge} {flow.table}: {flow.flow || "no flow"}
                    </code>
                    {flow.reason && <span class="note">{flow.reason}</span>}
                    {flow.foreign && <span class="note">not ours</span>}
                  </li>
                ))}
              </ul>
            </details>
          )}
          {node.differs.length > 0 && (
            <details>
              <summary>{node.differs.length} not as it should be</summary>
              <ul class="flows">
                {node.differs.map((one: Thing, at: number) => (
                  <li key={at}>
                    {one.what}: <code>{one.there || "missing"}</code>
                    {one.wanted && (
                      <>
                        , wanted <code>{one.wanted}</code>
                      </>
                    )}
                  </li>
                ))}
              </ul>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}

function chain(node: Thing): JSX.Element[] {
  const bridges = [...new Set(node.flows.map((flow: Thing) => flow.bridge as string))] as string[];
  return bridges.map((bridge, at) => (
    <span key={bridge}>
      {at > 0 && " → "}
      <code>{bridge}</code>
    </span>
  ));
}

function exit(end: Thing): string {
  switch (end.kind) {
    case "port":
      return `to the port at ${end.interface}`;
    case "tunnel":
      return `by the tunnel to ${end.tunnel}, key ${end.key}`;
    case "wire":
      return `to the wire by ${end.interface}${end.physical ? ` (${end.physical})` : ""}, ${end.vlan ? `VLAN ${end.vlan}` : "untagged"}`;
    case "agent":
      return "to the agent, which answers";
    case "drop":
      return `dropped: ${end.why}`;
    default:
      return `${end.kind} ${end.interface}`;
  }
}
