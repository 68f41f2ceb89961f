// How a load balancer and all below it are, and what it has carried.
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { BALANCED, member } from "../resources/lines";
import { href } from "../route";
import { Id, State } from "./cells";
import { Refused } from "./notice";

const ROOT = "/load-balancer/v2/lbaas/";
const MOST = 50; // members of a pool that are shown
const COUNTED_MS = 5000; // no feed tells of counters

function Node({ one, kind, called }: { one: Thing; kind: string; called: string }): JSX.Element {
  return (
    <>
      {called} <a href={href([kind, one.id])}>{one.name || <Id id={one.id} />}</a> <State word={one.operating_status} />
      {one.provisioning_status !== "ACTIVE" && <span class="note">{one.provisioning_status}</span>}{" "}
    </>
  );
}

export function StatusTree({ balancer }: { balancer: Thing }): JSX.Element {
  const url = `${ROOT}loadbalancers/${part(balancer.id)}/status`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), BALANCED);
  const top: Thing | undefined = value?.statuses.loadbalancer;
  return (
    <section class="part">
      <h2>Status</h2>
      <Refused by={refusal} />
      {top && (
        <ul class="statustree" aria-label="Status tree">
          <li>
            <Node one={top} kind="loadbalancers" called="load balancer" />
            <ul>
              {top.listeners.map((listener: Thing) => (
                <li key={listener.id}>
                  <Node one={listener} kind="listeners" called="listener" />
                  <ul>
                    {listener.pools.map((pool: Thing) => (
                      <PoolNode key={pool.id} pool={pool} />
                    ))}
                  </ul>
                </li>
              ))}
            </ul>
          </li>
        </ul>
      )}
    </section>
  );
}

function PoolNode({ pool }: { pool: Thing }): JSX.Element {
  return (
    <li>
      <Node one={pool} kind="pools" called="pool" />
      {pool.health_monitor && (
        <span class="note">
          asked by <a href={href(["healthmonitors", pool.health_monitor.id])}>{pool.health_monitor.type}</a>
        </span>
      )}
      <ul>
        {pool.members.slice(0, MOST).map((one: Thing) => (
          <li key={one.id}>
            member <a href={href(["pools", pool.id])}>{member.to(one as any)}</a> {one.name && <span class="dim">{one.name}</span>} <State word={one.operating_status} />
          </li>
        ))}
        {pool.members.length > MOST && (
          <li>
            and <a href={href(["pools", pool.id])}>{pool.members.length - MOST} more members</a>
          </li>
        )}
      </ul>
    </li>
  );
}

const COUNTERS: [string, string][] = [
  ["total_connections", "Connections"],
  ["active_connections", "Open now"],
  ["bytes_in", "Bytes in"],
  ["bytes_out", "Bytes out"],
  ["request_errors", "Requests failed"],
];

export function Counters({ path }: { path: string }): JSX.Element {
  const url = `${ROOT}${path}/stats`;
  const { value, refusal, again } = useData<Thing>(url, (signal) => api.get(url, signal));
  useEffect(() => {
    const timer = setInterval(again, COUNTED_MS);
    return () => clearInterval(timer);
  }, [url]);
  return (
    <section class="part">
      <h2>Carried</h2>
      <Refused by={refusal} />
      {value && (
        <dl class="facts">
          {COUNTERS.map(([name, title]) => (
            <>
              <dt>{title}</dt>
              <dd>
                <code>{value.stats[name].toLocaleString("en")}</code>
              </dd>
            </>
          ))}
        </dl>
      )}
    </section>
  );
}
