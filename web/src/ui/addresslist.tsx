// An address group's addresses.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { mayChange } from "../session";
import { Inline } from "./inline";
import { Remove } from "./removable";

export function AddressList({ group }: { group: Thing }): JSX.Element {
  const to = (verb: string, addresses: string[]): Promise<unknown> => api.put(`address-groups/${part(group.id)}/${verb}_addresses`, { address_group: { addresses } });
  const addresses: string[] = group.addresses ?? [];
  return (
    <section class="part">
      <header class="head">
        <h2>
          Addresses <span class="count">{addresses.length}</span>
        </h2>
      </header>
      <ul class="plainlist">
        {addresses.map((cidr) => (
          <li key={cidr}>
            <code>{cidr}</code> <Remove what={cidr} run={() => to("remove", [cidr])} />
          </li>
        ))}
      </ul>
      {mayChange.value && (
        <Inline title="Add addresses" fields={[{ name: "addresses", label: "Addresses", as: "lines", help: "One CIDR a line" }]} save={(values) => to("add", values.addresses.split(/\s+/).filter(Boolean))} />
      )}
    </section>
  );
}
