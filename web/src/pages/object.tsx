// One object: what it is, what it should be, what keeps it from working, who changed it, and what belongs to it.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { type Thing, Refusal, api, part } from "../api";
import { useData, useSettled } from "../data";
import { useKeys } from "../keys";
import { go, href } from "../route";
import { type Resource, kindsOf, oneOf, statesOf } from "../resources/types";
import { may, mayChange } from "../session";
import { Addresses, Alive, Mono, Ref, Refs, State, Time, Yes } from "../ui/cells";
import { remove } from "../ui/delete";
import { Explained, isExplained } from "../ui/explained";
import { Refused, Waiting } from "../ui/notice";
import { TagEditor } from "../ui/tageditor";
import { Views } from "../ui/views";
import { wordOf } from "../words";
import { mayDelete } from "./list";

export function ObjectPage({ resource, id }: { resource: Resource; id: string }): JSX.Element {
  const url = `${resource.path}/${part(id)}`;
  const { value, refusal, again } = useData<Thing>(url, (signal) => api.get(url, signal), kindsOf(resource));
  const one = oneOf(resource, value);
  useSettled(Boolean(one && resource.settles?.(one)), value, again);
  if (!one)
    return refusal ? (
      <section>
        <h1>{resource.one}</h1>
        <Refused by={refusal} />
        <a href={href([resource.kind])}>All {resource.title.toLowerCase()}</a>
      </section>
    ) : (
      <Waiting />
    );
  return <Shown resource={resource} one={one} />;
}

function Shown({ resource, one }: { resource: Resource; one: Thing }): JSX.Element {
  const [refusal, setRefusal] = useState<Refusal>();
  const mayEdit = resource.can.has("update") && mayChange.value && may(resource.needs.update);
  const removeIt = async (): Promise<void> => {
    const kept = await remove(resource, [one]);
    if (!kept) return;
    if (kept.length) setRefusal(kept[0].refusal);
    else go([resource.kind]);
  };
  useKeys([
    ...(mayEdit ? [{ key: "e", does: "change it", run: () => go([resource.kind, one.id, "edit"]) }] : []),
    ...(mayDelete(resource) ? [{ key: "#", does: "delete it", run: () => void removeIt() }] : []),
    { key: "u", does: "up to the list", run: () => go([resource.kind]) },
  ]);
  return (
    <section>
      <header class="head">
        <div>
          <p class="crumbs">
            <a href={href([resource.kind])}>{resource.title}</a>
          </p>
          <h1>
            {one[resource.name] || <span class="dim">unnamed {resource.one}</span>} {statesOf(resource).map((name) => (
              <>
                <State word={one[name]} />{" "}
              </>
            ))}
            {"alive" in one && <Alive is={one.alive} />}
          </h1>
          <code class="whole">{one.id}</code>
        </div>
        <Views kind={resource.kind} id={one.id} />
        {resource.actions
          ?.filter((action) => mayChange.value && (action.may?.(one) ?? true))
          .map((action) => (
            <button
              key={action.title}
              type="button"
              class={action.danger ? "danger" : ""}
              onClick={() => action.run(one).catch((error: unknown) => error instanceof Refusal && setRefusal(error))}
            >
              {action.title}
            </button>
          ))}
        {mayDelete(resource) && (
          <button type="button" class="danger" onClick={removeIt}>
            Delete
          </button>
        )}
        {mayEdit && (
          <a class="button main" href={href([resource.kind, one.id, "edit"])}>
            Change
          </a>
        )}
      </header>
      <Refused by={refusal} />
      <div class="halves">
        <div>
          <Facts resource={resource} one={one} />
          {"tags" in one && resource.member !== "agent" && <TagEditor resource={resource} one={one} />}
        </div>
        {isExplained(resource.member) && <Explained id={one.id} revision={one.revision_number} />}
      </div>
      {resource.parts?.(one)}
    </section>
  );
}

const ELSEWHERE = new Set(["id", "name", "tenant_id", "tags", "status", "status_detail", "provisioning_status", "operating_status", "admin_state_up", "revision_number"]);

function Facts({ resource, one }: { resource: Resource; one: Thing }): JSX.Element {
  const hidden = new Set([...ELSEWHERE, resource.name, ...(resource.hide ?? [])]);
  const label = (name: string): string =>
    resource.columns.find((column) => column.name === name)?.title ??
    resource.fields.find((field) => field.name === name)?.label ??
    wordOf(name);
  const names = Object.keys(one).filter((name) => !hidden.has(name) && !isEmpty(one[name]));
  return (
    <dl class="facts">
      {"admin_state_up" in one && <Fact title="Admin state">{one.admin_state_up ? "up" : "down"}</Fact>}
      {one.status_detail && <Fact title="Why">{one.status_detail}</Fact>}
      {names.map((name) => (
        <Fact key={name} title={label(name)}>
          <Value name={name} value={one[name]} kind={resource.refs?.[name]} />
        </Fact>
      ))}
    </dl>
  );
}

function Fact({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </>
  );
}

const isEmpty = (value: unknown): boolean => value === null || value === "" || (Array.isArray(value) && !value.length);

function Value({ name, value, kind }: { name: string; value: any; kind?: string }): JSX.Element {
  if (kind) return Array.isArray(value) ? <Refs kind={kind} ids={value.map((each: any) => each.id ?? each)} /> : <Ref kind={kind} id={value} />;
  if (name === "project_id") return <Ref kind="projects" id={value} />;
  if (name.endsWith("_at") || name.endsWith("_timestamp")) return <Time at={value} />;
  if (name === "fixed_ips") return <Addresses of={value} />;
  if (name === "external_gateway_info")
    return (
      <>
        <Ref kind="networks" id={value.network_id} /> <Addresses of={value.external_fixed_ips} />
        {value.enable_snat === false && <span class="note">without SNAT</span>}
      </>
    );
  if (name === "dns_assignment") return <Mono>{value.map((one: any) => `${one.fqdn} ${one.ip_address}`).join("\n")}</Mono>;
  if (typeof value === "boolean") return <Yes is={value} />;
  if (name === "description") return <>{value}</>;
  if (Array.isArray(value)) return <Mono>{value.map(plain).join("\n")}</Mono>;
  return <Mono>{plain(value)}</Mono>;
}

function plain(value: any): string {
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value)
    .filter(([, inner]) => inner !== null && inner !== "")
    .map(([name, inner]) => `${name}: ${typeof inner === "object" ? JSON.stringify(inner) : inner}`)
    .join(", ");
}
