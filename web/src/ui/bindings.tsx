// On which hosts a port is bound, for admins: the second binding is where a VM moves to.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { isAdmin } from "../session";
import { Mono, State } from "./cells";
import { Inline } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

export function Bindings({ port }: { port: Thing }): JSX.Element | null {
  return isAdmin.value && !port.device_owner?.startsWith("network:") ? <Shown port={port} /> : null;
}

function Shown({ port }: { port: Thing }): JSX.Element {
  const url = `ports/${part(port.id)}/bindings`;
  const { value, refusal, again } = useData<Thing>(`${url} ${port.revision_number}`, (signal) => api.get(url, signal), ["ports"]);
  const those: Thing[] = value?.bindings ?? [];
  const at = (host: string): string => `${url}/${part(host)}`;
  return (
    <section class="part">
      <header class="head">
        <h2>
          Bindings <span class="count">{those.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist">
        {those.map((one) => (
          <li key={one.host}>
            <Mono>{one.host}</Mono> <State word={one.status} /> <span class="note">{one.vif_type}</span>{" "}
            {one.status !== "ACTIVE" && (
              <>
                <Remove word="Activate" what={`the binding on ${one.host}`} run={() => api.put(`${at(one.host)}/activate`).then(again)} />{" "}
              </>
            )}
            <Remove what={`binding on ${one.host}`} run={() => api.delete(at(one.host)).then(again)} />
          </li>
        ))}
      </ul>
      <Inline title="Add a binding" fields={[{ name: "host", label: "Host", as: "text" }]} save={(values) => api.post(url, { binding: values }).then(again)} />
    </section>
  );
}
