// A list of one kind: filtered, sorted and paged by the API; bulk actions; a page of it has an address.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Thing, api, part, query } from "../api";
import { useData, useSettled } from "../data";
import { useKeys } from "../keys";
import { go, goHere, href, place } from "../route";
import { type Resource, kindsOf, rowsOf } from "../resources/types";
import { may, mayChange, session } from "../session";
import { type Kept, each, remove } from "../ui/delete";
import { asked, read, written } from "../ui/filters";
import { Refused, Waiting } from "../ui/notice";
import { Table, columnsOf } from "../ui/table";

const PAGE = 100;

export function mayCreate(resource: Resource): boolean {
  return resource.can.has("create") && mayChange.value && may(resource.needs.create);
}

export function mayDelete(resource: Resource): boolean {
  return resource.can.has("delete") && mayChange.value && may(resource.needs.delete);
}

export function ListPage({ resource }: { resource: Resource }): JSX.Element {
  const wanted = place.value.query;
  const sortedBy = resource.attributes[resource.name]?.sort ? resource.name : undefined;
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [kept, setKept] = useState<Kept[]>([]);
  const url = resource.path + query(asked(wanted, PAGE, sortedBy));
  const { value: told, refusal, again } = useData<Thing>(`${session.value?.project?.id} ${url}`, (signal) => api.get(url, signal), kindsOf(resource));
  useSettled(Boolean(resource.settles && rowsOf(resource, told).some(resource.settles)), told, again);
  const before = useRef<Thing | undefined>(undefined); // shown until the next answer is there
  if (told) before.current = told;
  const value = told ?? (refusal ? undefined : before.current);
  const rows = found(resource, rowsOf(resource, value), wanted.get("find") ?? "");
  const those = rows.filter((one) => chosen.has(one.id));

  const removeThose = async (): Promise<void> => {
    const left = those.length ? await remove(resource, those) : null;
    if (!left) return;
    setKept(left);
    choose(new Set(left.map(({ one }) => one.id)));
  };
  const switches = mayChange.value && resource.attributes.admin_state_up?.put && may(resource.needs.update);
  const turn = async (admin_state_up: boolean): Promise<void> => {
    const changed = those.filter((one) => one.admin_state_up !== admin_state_up);
    setKept(await each(changed, (one) => api.put(`${resource.path}/${part(one.id)}`, { [resource.member]: { admin_state_up } })));
  };
  useKeys([
    ...(mayCreate(resource) ? [{ key: "n", does: `new ${resource.one}`, run: () => go([resource.kind, "new"]) }] : []),
    ...(mayDelete(resource) ? [{ key: "#", does: "delete the chosen rows", run: () => void removeThose() }] : []),
  ]);
  const sorting = {
    key: wanted.get("sort_key") ?? sortedBy ?? null,
    down: wanted.get("sort_dir") === "desc",
    by: (name: string) => {
      const next = new URLSearchParams(wanted);
      const down = (wanted.get("sort_key") ?? sortedBy) === name && wanted.get("sort_dir") !== "desc";
      next.set("sort_key", name);
      next.set("sort_dir", down ? "desc" : "asc");
      next.delete("marker");
      goHere(next);
    },
  };
  return (
    <section aria-busy={told || refusal ? undefined : true}>
      <header class="head">
        <h1>{resource.title}</h1>
        <Filter resource={resource} />
        {switches && those.length > 0 && (
          <>
            <button type="button" onClick={() => turn(true)}>
              Admin up
            </button>
            <button type="button" onClick={() => turn(false)}>
              Admin down
            </button>
          </>
        )}
        {mayDelete(resource) && (
          <button type="button" class="danger" disabled={!those.length} onClick={removeThose}>
            Delete{those.length ? ` ${those.length}` : ""}
          </button>
        )}
        {mayCreate(resource) && (
          <a class="button main" href={href([resource.kind, "new"])}>
            New {resource.one}
          </a>
        )}
      </header>
      {resource.help && <p class="dim">{resource.help}</p>}
      {kept.map(({ one, refusal }) => (
        <Refused key={one.id} by={refusal} />
      ))}
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {value && rows.length > 0 && (
        <Table
          resource={resource}
          rows={rows}
          label={resource.title}
          walked
          sorting={sorting}
          choosing={mayDelete(resource) || switches ? { chosen, choose } : undefined}
        />
      )}
      {value && !rows.length && (
        <p class="empty">
          {[...wanted].length ? "Nothing matches." : `There are no ${resource.title.toLowerCase()}.`}
          {!rowsOf(resource, value).length && mayCreate(resource) && ![...wanted].length && (
            <>
              {" "}
              <a href={href([resource.kind, "new"])}>Make the first one.</a>
            </>
          )}
        </p>
      )}
      <Pages resource={resource} value={value} />
    </section>
  );
}

// in what the columns show, as far as it is text
function found(resource: Resource, rows: Thing[], text: string): Thing[] {
  if (!text) return rows;
  const words = text.toLowerCase().split(" ");
  const columns = columnsOf(resource);
  return rows.filter((one) => {
    const said = JSON.stringify([one.id, ...columns.map((column) => [one[column.name], column.text?.(one)])]).toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

function Filter({ resource }: { resource: Resource }): JSX.Element {
  const wanted = place.value.query;
  const field = useRef<HTMLInputElement>(null);
  useKeys([{ key: "/", does: "filter", run: () => field.current?.select() }]);
  useEffect(() => {
    if (field.current && document.activeElement !== field.current) field.current.value = written(wanted);
  }, [wanted]);
  const known = (name: string): boolean => Boolean(resource.attributes[name]?.filter) || (name.startsWith("tags") && "tags" in resource.attributes);
  const hint = resource.filters?.slice(0, 2).map((name) => `${name}:…`) ?? [];
  return (
    <label class="filter">
      <span class="hidden">Filter</span>
      <input
        ref={field}
        type="search"
        list={`filters-${resource.kind}`}
        placeholder={["filter", ...hint].join("  ")}
        defaultValue={written(wanted)}
        onInput={(event) => goHere(read(event.currentTarget.value, known, wanted))}
        title={`By the API: ${Object.keys(resource.attributes).filter(known).join(", ")}. Any other word is looked for in what is shown.`}
      />
      <datalist id={`filters-${resource.kind}`}>
        {resource.filters?.map((name) => (
          <option key={name} value={`${name}:`} />
        ))}
      </datalist>
    </label>
  );
}

function Pages({ resource, value }: { resource: Resource; value: Thing | undefined }): JSX.Element | null {
  const links: { rel: string; href: string }[] = value?.[`${resource.listed}_links`] ?? [];
  const to = (rel: string): string | undefined => {
    const link = links.find((one) => one.rel === rel);
    if (!link) return undefined;
    const asked = new URLSearchParams(link.href.slice(link.href.indexOf("?") + 1));
    asked.delete("limit");
    if (!place.value.query.has("sort_key")) asked.delete("sort_key");
    const find = place.value.query.get("find");
    if (find) asked.set("find", find);
    return href([resource.kind], asked);
  };
  const back = place.value.query.has("marker") ? to("previous") : undefined;
  const next = to("next");
  if (!back && !next) return null;
  return (
    <nav class="pages" aria-label="Pages">
      {back && <a href={back}>← Page before</a>}
      {next && <a href={next}>Next page →</a>}
    </nav>
  );
}
