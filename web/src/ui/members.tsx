// On an object's page: the objects of another kind that belong to it.
import type { JSX } from "preact";
import { type Thing, api, query } from "../api";
import { useData } from "../data";
import { mayCreate } from "../pages/list";
import { RESOURCES } from "../resources/all";
import { kindsOf, rowsOf } from "../resources/types";
import { href } from "../route";
import { Refused } from "./notice";
import { Table } from "./table";

const MOST = 50;

export function Members({ kind, by, id, title, add }: { kind: string; by: string; id: string; title: string; add?: string }): JSX.Element {
  const resource = RESOURCES[kind];
  const order = ["position", resource.name].find((name) => resource.attributes[name]?.sort); // L7 policies have places
  const sorted: [string, string][] = order ? [["sort_key", order]] : [];
  const url = resource.path + query([[by, id], ["limit", String(MOST + 1)], ...sorted]);
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), kindsOf(resource));
  const rows = rowsOf(resource, value);
  return (
    <section class="part">
      <header class="head">
        <h2>
          {title} {value && <span class="count">{rows.length > MOST ? `more than ${MOST}` : rows.length}</span>}
        </h2>
        {add && mayCreate(resource) && (
          <a class="button" href={href([kind, "new"], [[by, id]])}>
            {add}
          </a>
        )}
      </header>
      <Refused by={refusal} />
      {rows.length > 0 && <Table resource={resource} rows={rows.slice(0, MOST)} label={title} without={by} />}
      {rows.length > MOST && <a href={href([kind], [[by, id]])}>All of them</a>}
      {value && !rows.length && <p class="dim">None.</p>}
    </section>
  );
}
