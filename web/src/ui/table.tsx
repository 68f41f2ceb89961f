// A table of objects: sorted, chosen from, walked through by the keyboard.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Thing } from "../api";
import { useKeys } from "../keys";
import { go, href } from "../route";
import type { Column, Resource } from "../resources/types";
import { isAdmin } from "../session";
import { Id, Tags } from "./cells";

export interface Choosing {
  chosen: ReadonlySet<string>;
  choose: (ids: ReadonlySet<string>) => void;
}

export interface Sorting {
  key: string | null;
  down: boolean;
  by: (name: string) => void;
}

interface Props {
  resource: Resource;
  rows: Thing[];
  choosing?: Choosing;
  sorting?: Sorting;
  walked?: boolean; // j, k and Enter are for this one
  label: string;
  without?: string; // a column that says the same in each row
}

const LONG = 24;

export function columnsOf(resource: Resource): Column[] {
  return resource.columns.filter((column) => isAdmin.value || !column.admin);
}

export function Table({ resource, rows, choosing, sorting, walked, label, without }: Props): JSX.Element {
  const [at, setAt] = useState(-1);
  const here = Math.min(at, rows.length - 1);
  const step = (by: number): void => setAt(Math.max(0, Math.min(rows.length - 1, here + by)));
  const toggle = (id: string): void => {
    const next = new Set(choosing?.chosen);
    if (!next.delete(id)) next.add(id);
    choosing?.choose(next);
  };
  useKeys(
    walked
      ? [
          { key: "j", does: "next row", run: () => step(1) },
          { key: "k", does: "row before", run: () => step(-1) },
          { key: "Enter", does: "open the row", run: () => here >= 0 && rows[here] && go([resource.kind, rows[here].id]) },
          ...(choosing ? [{ key: "x", does: "choose the row", run: () => here >= 0 && rows[here] && toggle(rows[here].id) }] : []),
        ]
      : [],
  );
  useEffect(() => {
    if (walked && here >= 0) document.querySelector("tr.here")?.scrollIntoView({ block: "nearest" });
  }, [here]);

  const columns = columnsOf(resource).filter((column) => column.name !== without);
  const all = rows.length > 0 && rows.every((one) => choosing?.chosen.has(one.id));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {choosing && (
              <th class="tick">
                <input
                  type="checkbox"
                  aria-label="Choose all"
                  checked={all}
                  onChange={() => choosing.choose(all ? new Set() : new Set(rows.map((one) => one.id)))}
                />
              </th>
            )}
            {columns.map((column) => (
              <Head key={column.name} column={column} resource={resource} sorting={sorting} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((one, place) => (
            <tr key={one.id} class={place === here && walked ? "here" : ""} data-id={one.id} onClick={() => walked && setAt(place)}>
              {choosing && (
                <td class="tick">
                  <input type="checkbox" aria-label={`Choose ${one[resource.name] || one.id}`} checked={choosing.chosen.has(one.id)} onChange={() => toggle(one.id)} />
                </td>
              )}
              {columns.map((column, place) => (
                <td key={column.name}>{place === 0 ? <First resource={resource} column={column} one={one} /> : cellOf(column, one)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ column, resource, sorting }: { column: Column; resource: Resource; sorting?: Sorting }): JSX.Element {
  const mine = sorting?.key === column.name;
  if (!sorting || !resource.attributes[column.name]?.sort) return <th scope="col">{column.title}</th>;
  return (
    <th scope="col" aria-sort={mine ? (sorting.down ? "descending" : "ascending") : "none"}>
      <button type="button" class="plain" onClick={() => sorting.by(column.name)}>
        {column.title}
        <span aria-hidden="true">{mine ? (sorting.down ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}

function First({ resource, column, one }: { resource: Resource; column: Column; one: Thing }): JSX.Element {
  const shown = column.cell ? column.cell(one) : one[column.name];
  return (
    <>
      <a class="called" title={typeof shown === "string" && shown.length > LONG ? shown : undefined} href={href([resource.kind, one.id])}>
        {shown || <Id id={one.id} />}
      </a>
      <Tags of={one.tags} />
    </>
  );
}

export function cellOf(column: Column, one: Thing): JSX.Element {
  if (column.cell) return <>{column.cell(one)}</>;
  const value = one[column.name];
  return value === null || value === undefined || value === "" ? <span class="dim">–</span> : <>{String(value)}</>;
}
