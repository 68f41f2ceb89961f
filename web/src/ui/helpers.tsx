// Which connections through a router's NAT conntrack reads along.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { mayChange } from "../session";
import { Inline, asNumber } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

export function ConntrackHelpers({ router }: { router: Thing }): JSX.Element {
  const url = `routers/${part(router.id)}/conntrack_helpers`;
  const { value, refusal, again } = useData<Thing>(`${url} ${router.revision_number}`, (signal) => api.get(url, signal), ["routers"]);
  const those: Thing[] = value?.conntrack_helpers ?? [];
  return (
    <section class="part">
      <header class="head">
        <h2>
          Conntrack helpers <span class="count">{those.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist">
        {those.map((one) => (
          <li key={one.id}>
            <strong>{one.helper}</strong>{" "}
            <code>
              {one.protocol} {one.port}
            </code>{" "}
            <Remove what={`helper ${one.helper} of ${one.protocol} ${one.port}`} run={() => api.delete(`${url}/${part(one.id)}`).then(again)} />
          </li>
        ))}
      </ul>
      {mayChange.value && (
        <Inline
          title="Add a helper"
          fields={[
            { name: "helper", label: "Helper", as: "choice", choices: ["ftp", "tftp"], start: "ftp" },
            { name: "protocol", label: "Protocol", as: "choice", choices: ["tcp", "udp"], start: "tcp" },
            { name: "port", label: "Port", as: "number", start: "21" },
          ]}
          save={(values) => api.post(url, { conntrack_helper: { ...values, port: asNumber(values.port) } }).then(again)}
        />
      )}
    </section>
  );
}
