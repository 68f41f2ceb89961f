// A router's interfaces: the subnets that it joins.
import type { JSX } from "preact";
import { type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { mayChange } from "../session";
import { Addresses, Id, Ref, State } from "./cells";
import { Inline } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

export function Interfaces({ router }: { router: Thing }): JSX.Element {
  const url = `ports${query([["device_id", router.id]])}`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), ["ports"]);
  const inner: Thing[] = (value?.ports ?? []).filter((port: Thing) => port.device_owner !== "network:router_gateway");
  const to = (verb: string, what: Thing): Promise<unknown> => api.put(`routers/${part(router.id)}/${verb}_router_interface`, what);
  return (
    <section class="part">
      <header class="head">
        <h2>
          Interfaces <span class="count">{inner.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist">
        {inner.map((port) => (
          <li key={port.id}>
            <Addresses of={port.fixed_ips} /> in <Ref kind="networks" id={port.network_id} /> <State word={port.status} />{" "}
            <a href={`#/ports/${part(port.id)}`}>
              port <Id id={port.id} />
            </a>{" "}
            <Remove what={`interface ${port.fixed_ips[0]?.ip_address ?? port.id}`} run={() => to("remove", { port_id: port.id })} />
          </li>
        ))}
      </ul>
      {mayChange.value && (
        <Inline title="Add an interface" fields={[{ name: "subnet_id", label: "Subnet", as: "ref", of: "subnets", help: "The router takes the subnet's gateway address" }]} save={(values) => to("add", values)} />
      )}
    </section>
  );
}
