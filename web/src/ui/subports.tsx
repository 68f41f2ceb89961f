// A trunk's subports.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { mayChange } from "../session";
import { Ref } from "./cells";
import { Inline, asNumber } from "./inline";
import { Remove } from "./removable";

export function SubPorts({ trunk }: { trunk: Thing }): JSX.Element {
  const to = (verb: string, sub: Thing): Promise<unknown> => api.put(`trunks/${part(trunk.id)}/${verb}_subports`, { sub_ports: [sub] });
  return (
    <section class="part">
      <header class="head">
        <h2>
          Subports <span class="count">{trunk.sub_ports.length}</span>
        </h2>
      </header>
      <ul class="plainlist">
        {trunk.sub_ports.map((sub: Thing) => (
          <li key={sub.port_id}>
            <code>
              {sub.segmentation_type} {sub.segmentation_id}
            </code>{" "}
            <Ref kind="ports" id={sub.port_id} /> <Remove what={`VLAN ${sub.segmentation_id}`} run={() => to("remove", { port_id: sub.port_id })} />
          </li>
        ))}
      </ul>
      {mayChange.value && (
        <Inline
          title="Add a subport"
          fields={[
            { name: "port_id", label: "Port", as: "ref", of: "ports" },
            { name: "segmentation_id", label: "VLAN", as: "number" },
          ]}
          save={(values) => to("add", { port_id: values.port_id, segmentation_type: "vlan", segmentation_id: asNumber(values.segmentation_id) })}
        />
      )}
    </section>
  );
}
