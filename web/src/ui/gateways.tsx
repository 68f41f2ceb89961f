// A router's ways out: one or several external networks, one or several addresses there; the first is `Gateway`.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { mayChange } from "../session";
import { Addresses, Ref } from "./cells";
import { Inline, said } from "./inline";
import { Remove } from "./removable";

export function Gateways({ router }: { router: Thing }): JSX.Element {
  const those: Thing[] = router.external_gateways ?? [];
  const to = (verb: string, gateway: Thing): Promise<unknown> => api.put(`routers/${part(router.id)}/${verb}_external_gateways`, { router: { external_gateways: [gateway] } });
  const add = ({ network_id, ip_address }: Thing): Promise<unknown> => to("add", { network_id, ...(ip_address ? { external_fixed_ips: [said({ ip_address })] } : {}) });
  return (
    <section class="part">
      <header class="head">
        <h2>
          Gateways <span class="count">{those.length}</span>
        </h2>
      </header>
      <ul class="plainlist">
        {those.map((one, at) => (
          <li key={`${one.network_id} ${at}`}>
            <Addresses of={one.external_fixed_ips} /> in <Ref kind="networks" id={one.network_id} />{" "}
            <Remove what={`gateway ${one.external_fixed_ips?.[0]?.ip_address ?? one.network_id}`} run={() => to("remove", { network_id: one.network_id, external_fixed_ips: one.external_fixed_ips })} />
          </li>
        ))}
      </ul>
      {mayChange.value && (
        <Inline
          title="Add a gateway"
          fields={[
            { name: "network_id", label: "External network", as: "ref", of: "networks", asking: { "router:external": "true" } },
            { name: "ip_address", label: "Address there", as: "text", help: "Empty: any that is free" },
          ]}
          save={add}
        />
      )}
    </section>
  );
}
