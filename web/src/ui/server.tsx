// A port's VM: its name, its state and its host beside the port.
import type { JSX } from "preact";
import type { Thing } from "../api";
import { serverIdOf, unseen, useServer } from "../servers";
import { Mono, State } from "./cells";

const HOST = "binding:host_id";

// what uses a port; in a list
export function UsedBy({ port }: { port: Thing }): JSX.Element {
  const server = useServer(serverIdOf(port));
  if (!server) return <Mono>{port.device_owner || (port.device_id && "device")}</Mono>;
  return (
    <span class="server">
      {server.name || <code>{server.id.slice(0, 8)}</code>} <State word={server.status} />
      {server.task && <span class="note">{server.task}</span>}
      {server.host && server.host !== port[HOST] && <span class="note">on {server.host}</span>}
    </span>
  );
}

// on a port's page
export function ServerPart({ port }: { port: Thing }): JSX.Element | null {
  const id = serverIdOf(port);
  const server = useServer(id);
  if (!server && !(id && unseen.value)) return null;
  return (
    <section class="part">
      <h2>Server</h2>
      {server ? (
        <dl class="facts">
          <dt>Name</dt>
          <dd>
            {server.name} <State word={server.status} /> {server.task && <span class="note">{server.task}</span>}
          </dd>
          {server.host && (
            <>
              <dt>Host</dt>
              <dd>
                <code>{server.host}</code> {port[HOST] && server.host !== port[HOST] && <span class="note">its port is bound to {port[HOST]}</span>}
              </dd>
            </>
          )}
        </dl>
      ) : (
        <p class="dim">{unseen.value}</p>
      )}
    </section>
  );
}
