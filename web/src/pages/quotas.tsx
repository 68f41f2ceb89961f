// What the project may have, and how much of it is used; admins change it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing, api, part } from "../api";
import { useData } from "../data";
import { LIST } from "../resources/all";
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

export const titleOf = (member: string): string => LIST.find((one) => one.member === member)?.title ?? wordOf(member);

export function QuotasPage(): JSX.Element {
  const mine = session.value?.project?.id ?? "";
  const project = place.value.path[1] ?? mine;
  const { value, refusal, again } = useQuota(project);
  const [problem, setProblem] = useState<Refusal>();
  const save = async (member: string, limit: string): Promise<void> => {
    setProblem(undefined);
    try {
      await api.put(`quotas/${part(project)}`, { quota: { [member]: asNumber(limit) } });
    } catch (error) {
      if (error instanceof Refusal) setProblem(error);
    }
    again();
  };
  const quota: Thing = value?.quota ?? {};
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
              <tr key={member}>
                <th scope="row">{titleOf(member)}</th>
                <td>
                  <Use used={used} of={limit} />
                </td>
                <td>
                  {isAdmin.value ? (
                    <input class="mono" size={7} aria-label={`Limit of ${titleOf(member)}; -1 is none`} key={limit} defaultValue={limit} onChange={(event) => save(member, event.currentTarget.value)} />
                  ) : (
                    <code>{limit < 0 ? "none" : limit}</code>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
