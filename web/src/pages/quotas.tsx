// What the project may have, and how much of it is used; admins change it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { LIST } from "../resources/all";
import { BALANCED } from "../resources/lines";
import { go, place } from "../route";
import { isAdmin, session } from "../session";
import { asNumber } from "../ui/inline";
import { Refused, Waiting } from "../ui/notice";
import { Use } from "../ui/use";
import { wordOf } from "../words";

const KINDS = LIST.map((one) => one.kind);

export function useQuota(project: string) {
  const url = `quotas/${part(project)}/details`;
  return useData<Thing>(url, (signal) => api.get(url, signal), KINDS, 1500);
}

// of load balancing: its API tells limits, and what is there is counted by what can be listed
const BALANCING = "/load-balancer/v2/lbaas/";
const COUNTED: Record<string, string> = { loadbalancer: "loadbalancers", listener: "listeners", pool: "pools", healthmonitor: "healthmonitors", l7policy: "l7policies" };
const LIMITED = [...Object.keys(COUNTED), "member", "l7rule"];
const MOST = 1000;

function useBalancing(project: string) {
  const limits = useData<Thing>(`${BALANCING}quotas/${part(project)}`, (signal) => api.get(`${BALANCING}quotas/${part(project)}`, signal));
  const counts = useData<Record<string, number>>(
    `counts of ${project}`,
    async (signal) => {
      const of = async ([member, kind]: [string, string]): Promise<[string, number]> => {
        const told = await api.get(`${BALANCING}${kind}${query([["project_id", project], ["fields", "id"], ["limit", String(MOST)]])}`, signal);
        return [member, told[kind].length];
      };
      return Object.fromEntries(await Promise.all(Object.entries(COUNTED).map(of)));
    },
    BALANCED,
    1500,
  );
  return { limits, used: counts.value ?? {} };
}

export const titleOf = (member: string): string => LIST.find((one) => one.member === member)?.title ?? wordOf(member);

export function QuotasPage(): JSX.Element {
  const mine = session.value?.project?.id ?? "";
  const project = place.value.path[1] ?? mine;
  const { value, refusal, again } = useQuota(project);
  const [problem, setProblem] = useState<Refusal>();
  const { limits, used } = useBalancing(project);
  const save = (root: string) => async (member: string, limit: string): Promise<void> => {
    setProblem(undefined);
    try {
      await api.put(`${root}quotas/${part(project)}`, { quota: { [member]: asNumber(limit) } });
    } catch (error) {
      if (error instanceof Refusal) setProblem(error);
    }
    (root ? limits : { again }).again();
  };
  const quota: Thing = value?.quota ?? {};
  const balancing: Thing = limits.value?.quota ?? {};
  return (
    <section class="narrow">
      <header class="head">
        <h1>Quotas</h1>
        {isAdmin.value && (
          <label>
            <span class="hidden">Project</span>
            <input class="mono" size={34} placeholder="another project's ID" defaultValue={project === mine ? "" : project} onChange={(event) => go(["quotas", event.currentTarget.value.trim() || mine])} />
          </label>
        )}
      </header>
      <Refused by={refusal ?? problem} />
      {!value && !refusal && <Waiting />}
      <div class="scroll" tabIndex={0} role="region" aria-label="Quotas">
        <table>
          <thead>
            <tr>
              <th scope="col">Of</th>
              <th scope="col">Used</th>
              <th scope="col">Limit</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(quota).map(([member, { limit, used }]: [string, any]) => (
              <Row key={member} {...{ member, limit, used }} save={save("")} />
            ))}
            {LIMITED.filter((member) => member in balancing).map((member) => (
              <Row key={member} member={member} limit={balancing[member]} used={used[member]} save={save(BALANCING)} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface Limited {
  member: string;
  limit: number;
  used: number | undefined; // not counted
  save: (member: string, limit: string) => Promise<void>;
}

function Row({ member, limit, used, save }: Limited): JSX.Element {
  return (
    <tr>
      <th scope="row">{titleOf(member)}</th>
      <td>{used === undefined ? <span class="dim">–</span> : <Use used={used} of={limit} />}</td>
      <td>
        {isAdmin.value ? (
          <input class="mono" size={7} aria-label={`Limit of ${titleOf(member)}; -1 is none`} key={limit} defaultValue={limit} onChange={(event) => save(member, event.currentTarget.value)} />
        ) : (
          <code>{limit < 0 ? "none" : limit}</code>
        )}
      </td>
    </tr>
  );
}
