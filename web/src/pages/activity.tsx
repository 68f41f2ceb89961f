// Who changed what, the newest first; and how long a node took to wire a port.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Thing, api, query } from "../api";
import { useData } from "../data";
import { LIST } from "../resources/all";
import { href, place } from "../route";
import { Id, Ref } from "../ui/cells";
import { Actor } from "../ui/explained";
import { Refused, Waiting } from "../ui/notice";

const KINDS = LIST.map((one) => one.kind);
const WORDS: Record<string, string> = { insert: "made", update: "changed", delete: "deleted" };

export function ActivityPage(): JSX.Element {
  const before = place.value.query.get("before");
  const [find, setFind] = useState("");
  const url = `netweft/activity${query(before ? [["before", before]] : [])}`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), before ? [] : KINDS, 1000);
  const all: Thing[] = value?.activity ?? [];
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((one) => words.every((word) => JSON.stringify([one.by, WORDS[one.operation], one.type, one.name, one.id]).toLowerCase().includes(word)));
  return (
    <section>
      <header class="head">
        <h1>Activity</h1>
        <label class="filter">
          <span class="hidden">Filter what is shown</span>
          <input type="search" placeholder="filter what is shown" value={find} onInput={(event) => setFind(event.currentTarget.value)} />
        </label>
      </header>
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {shown.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Activity">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">Did</th>
                <th scope="col">What</th>
                <th scope="col">Wired in</th>
                <th scope="col">Revision</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <tr key={`${one.revision} ${one.id}`}>
                  <td>
                    <time class="mono" dateTime={one.at}>
                      {one.at.replace("T", " ").replace("Z", "")}
                    </time>
                  </td>
                  <td>
                    <Actor by={one.by} />
                  </td>
                  <td>{WORDS[one.operation]}</td>
                  <td class="said">
                    <What one={one} />
                  </td>
                  <td>
                    <code>{wired(one, all)}</code>
                  </td>
                  <td>
                    <code>{one.revision}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {value && !shown.length && <p class="empty">Nothing.</p>}
      <nav class="pages" aria-label="Pages">
        {before && <a href={href(["activity"])}>← The newest</a>}
        {value?.next && <a href={href(["activity"], [["before", String(value.next)]])}>Earlier →</a>}
      </nav>
    </section>
  );
}

function What({ one }: { one: Thing }): JSX.Element {
  const resource = LIST.find((each) => each.member === one.type);
  if (!resource || one.operation === "delete" || !one.project_id)
    return (
      <>
        {resource?.one ?? one.type} {one.name || <Id id={one.id} />}
      </>
    );
  return (
    <>
      {resource.one} {one.name ? <a href={href([resource.kind, one.id])}>{one.name}</a> : <Ref kind={resource.kind} id={one.id} />}
    </>
  );
}

// a node's report of a port, after what was asked for last
function wired(one: Thing, all: Thing[]): string {
  if (one.type !== "port" || !/^(node|server)/.test(one.by) || one.operation !== "update") return "";
  const asked = all.slice(all.indexOf(one) + 1).find((other) => other.id === one.id);
  if (!asked || !asked.by.startsWith("user")) return "";
  const ms = Date.parse(one.at) - Date.parse(asked.at);
  return ms < 10_000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`;
}
