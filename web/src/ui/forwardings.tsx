// Which ports of a floating IP lead where inside; and what has gone through it.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { ports } from "../resources/lines";
import { mayChange } from "../session";
import { Ref } from "./cells";
import { Inline, said } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

export function Forwardings({ floatingip }: { floatingip: Thing }): JSX.Element {
  const url = `floatingips/${part(floatingip.id)}/port_forwardings`;
  const { value, refusal, again } = useData<Thing>(`${url} ${floatingip.revision_number}`, (signal) => api.get(url, signal), ["floatingips"]);
  const those: Thing[] = value?.port_forwardings ?? [];
  return (
    <section class="part">
      <header class="head">
        <h2>
          Port forwardings <span class="count">{those.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist">
        {those.map((one) => (
          <li key={one.id}>
            <code>
              {one.protocol} {floatingip.floating_ip_address}:{one.external_port ?? one.external_port_range}
            </code>{" "}
            →{" "}
            <code>
              {one.internal_ip_address}:{one.internal_port ?? one.internal_port_range}
            </code>{" "}
            of <Ref kind="ports" id={one.internal_port_id} /> {one.description && <span class="dim">{one.description}</span>}{" "}
            <Remove what={`forwarding of ${one.protocol} ${one.external_port ?? one.external_port_range}`} run={() => api.delete(`${url}/${part(one.id)}`).then(again)} />
          </li>
        ))}
      </ul>
      {mayChange.value && !floatingip.port_id && (
        <Inline
          title="Forward a port"
          fields={[
            { name: "protocol", label: "Protocol", as: "choice", choices: ["tcp", "udp", "sctp"], start: "tcp" },
            { name: "external_port", label: "Port outside", as: "text", help: "or FIRST:LAST" },
            { name: "internal_port_id", label: "To the port", as: "ref", of: "ports" },
            { name: "internal_ip_address", label: "its address", as: "text" },
            { name: "internal_port", label: "Port inside", as: "text", help: "or FIRST:LAST, as many" },
            { name: "description", label: "Description", as: "text" },
          ]}
          save={({ external_port, internal_port, ...values }) =>
            api.post(url, { port_forwarding: { ...said(values), ...ports("external", external_port), ...ports("internal", internal_port) } }).then(again)
          }
        />
      )}
    </section>
  );
}
