// Users, projects and who has which role where, for admins, where identity is Netweft's own.  `#/people/users/ID`
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { IDENTITY, Refusal, type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { useKeys } from "../keys";
import { forget } from "../names";
import { go, goHere, href, place } from "../route";
import { session } from "../session";
import { confirmed } from "../ui/confirm";
import { Inline, type InlineField, said } from "../ui/inline";
import { Refused, Waiting } from "../ui/notice";
import { Assignments } from "../ui/assignments";

const MOST = 100;

interface Kind {
  kind: "users" | "projects";
  one: string;
  title: string;
  fields: InlineField[];
  stays: string; // of what is deleted
}

const USERS: Kind = {
  kind: "users",
  one: "user",
  title: "Users",
  fields: [
    { name: "name", label: "Name", as: "text" },
    { name: "password", label: "Password", as: "password" },
    { name: "email", label: "E-mail", as: "text" },
    { name: "description", label: "Description", as: "text" },
  ],
  stays: "All sessions and application credentials of this user end.",
};
const PROJECTS: Kind = {
  kind: "projects",
  one: "project",
  title: "Projects",
  fields: [
    { name: "name", label: "Name", as: "text" },
    { name: "description", label: "Description", as: "text" },
  ],
  stays: "Its networks, ports, routers and all else stay, and are an admin's to delete.",
};

export function PeoplePage(): JSX.Element {
  const [, kind, id] = place.value.path;
  const keystone = session.value!.keystone;
  if (keystone)
    return (
      <section class="narrow">
        <h1>Users and projects</h1>
        <p>
          They are those of the cloud's Keystone, at <code>{keystone}</code>: <code>openstack user list</code>, <code>openstack project list</code>, or the page that the cloud has for it.
        </p>
      </section>
    );
  const of = [USERS, PROJECTS].find((one) => one.kind === kind);
  if (of && id) return <One key={id} of={of} id={id} />;
  return (
    <section>
      <h1>Users and projects</h1>
      <List of={USERS} />
      <List of={PROJECTS} />
    </section>
  );
}

// a page of them, by name; the marker of each list is in the address
function List({ of }: { of: Kind }): JSX.Element {
  const marker = place.value.query.get(of.kind);
  const url = `${IDENTITY}${of.kind}${query([["limit", String(MOST)], ...(marker ? [["marker", marker] as [string, string]] : [])])}`;
  const { value, refusal, again } = useData<Thing>(url, (signal) => api.get(url, signal));
  const those: Thing[] = value?.[of.kind] ?? [];
  const to = (next: string | null): void => {
    const asked = new URLSearchParams(place.value.query);
    if (next) asked.set(of.kind, next);
    else asked.delete(of.kind);
    goHere(asked);
  };
  const make = async (values: Thing): Promise<void> => {
    await api.post(`${IDENTITY}${of.kind}`, { [of.one]: said(values) });
    forget(of.kind);
    again();
  };
  return (
    <section class="part" aria-label={of.title}>
      <header class="head">
        <h2>{of.title}</h2>
      </header>
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {those.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`List of ${of.title.toLowerCase()}`}>
          <table>
            <thead>
              <tr>
                {["Name", "ID", "Enabled", "Description"].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {those.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    <a href={href(["people", of.kind, one.id])}>{one.name}</a>
                  </th>
                  <td>
                    <code>{one.id}</code>
                  </td>
                  <td>
                    <Enabled is={one.enabled} />
                  </td>
                  <td>{one.description || <span class="dim">–</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(marker || value?.links?.next) && (
        <nav class="pages" aria-label={`Pages of ${of.title.toLowerCase()}`}>
          {marker && (
            <button type="button" class="plain" onClick={() => to(null)}>
              ← The first
            </button>
          )}
          {value?.links?.next && (
            <button type="button" class="plain" onClick={() => to(those[those.length - 1].id)}>
              Next page →
            </button>
          )}
        </nav>
      )}
      <Inline title={`New ${of.one}`} fields={of.fields} save={make} />
    </section>
  );
}

const Enabled = ({ is }: { is: boolean }): JSX.Element => <span class={`state ${is ? "good" : "idle"}`}>{is ? "enabled" : "disabled"}</span>;

function One({ of, id }: { of: Kind; id: string }): JSX.Element {
  const url = `${IDENTITY}${of.kind}/${part(id)}`;
  const { value, refusal, again } = useData<Thing>(url, (signal) => api.get(url, signal));
  const [problem, setProblem] = useState<Refusal>();
  const one: Thing | undefined = value?.[of.one];
  const mine = id === (of === USERS ? session.value?.user.id : session.value?.project?.id);
  const trying = async (work: () => Promise<unknown>): Promise<void> => {
    setProblem(undefined);
    try {
      await work();
      forget(of.kind);
    } catch (error) {
      if (error instanceof Refusal) setProblem(error);
    }
  };
  const change = async (changes: Thing): Promise<void> => {
    await api.patch(url, { [of.one]: changes });
    forget(of.kind);
    again();
  };
  const remove = (): Promise<void> =>
    trying(async () => {
      if (!(await confirmed(`Delete this ${of.one}?`, <Asked one={one!}>{of.stays}</Asked>, "Delete"))) return;
      await api.delete(url);
      go(["people"]);
    });
  useKeys([{ key: "u", does: "up to the list", run: () => go(["people"]) }]);
  if (!one)
    return (
      <section>
        <h1>{of.one}</h1>
        {refusal ? <Refused by={refusal} /> : <Waiting />}
      </section>
    );
  return (
    <section>
      <header class="head">
        <div>
          <p class="crumbs">
            <a href={href(["people"])}>Users and projects</a>
          </p>
          <h1>
            {one.name} <Enabled is={one.enabled} />
          </h1>
          <code class="whole">{one.id}</code>
        </div>
        {!mine && (
          <>
            <button type="button" onClick={() => trying(() => change({ enabled: !one.enabled }))}>
              {one.enabled ? "Disable" : "Enable"}
            </button>
            <button type="button" class="danger" onClick={remove}>
              Delete
            </button>
          </>
        )}
      </header>
      <Refused by={problem} />
      <dl class="facts">
        {["description", "email", "domain_id", "default_project_id"].map((name) =>
          one[name] ? (
            <>
              <dt>{name.replace(/_/g, " ")}</dt>
              <dd>{one[name]}</dd>
            </>
          ) : null,
        )}
      </dl>
      {mine && <p class="dim">This is your own {of.one}: it is not disabled or deleted here.</p>}
      <Inline
        key={one.name + one.description}
        title="Change its name"
        fields={of.fields.filter((field) => field.name !== "password").map((field) => ({ ...field, start: one[field.name] ?? "" }))}
        save={change}
      />
      {of === USERS && <Inline title="Set the password" fields={USERS.fields.filter((field) => field.as === "password")} save={change} />}
      <Assignments of={of.kind} id={id} mine={mine} />
    </section>
  );
}

const Asked = ({ one, children }: { one: Thing; children: ComponentChildren }): JSX.Element => (
  <>
    <p>
      {one.name} <code>{one.id}</code>
    </p>
    <p>{children}</p>
  </>
);
