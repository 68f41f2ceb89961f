// Who has which role in which project: of one user, or in one project.
import type { JSX } from "preact";
import { IDENTITY, type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { href } from "../route";
import { confirmed } from "./confirm";
import { Inline, type InlineField } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

const MOST = 500; // in a choice

interface Props {
  of: "users" | "projects";
  id: string;
  mine: boolean;
}

const place = (project: string, user: string, role: string): string => `${IDENTITY}projects/${part(project)}/users/${part(user)}/roles/${part(role)}`;

export function Assignments({ of, id, mine }: Props): JSX.Element {
  const url = `${IDENTITY}role_assignments${query([[of === "users" ? "user.id" : "scope.project.id", id], ["include_names", "1"]])}`;
  const { value, refusal, again } = useData<Thing>(url, (signal) => api.get(url, signal));
  const those: Thing[] = value?.role_assignments ?? [];
  const others = of === "users" ? "projects" : "users";
  const choices = `${IDENTITY}${others}${query([["limit", String(MOST)]])}`;
  const found = useData<Thing>(choices, (signal) => api.get(choices, signal));
  const roles = useData<Thing>(`${IDENTITY}roles`, (signal) => api.get(`${IDENTITY}roles`, signal));
  const give = (values: Thing): Promise<void> => {
    const [project, user] = of === "users" ? [values.other, id] : [id, values.other];
    return api.put(place(project, user, values.role)).then(again);
  };
  const take = async (one: Thing): Promise<void> => {
    if (mine && !(await confirmed("Take a role of your own?", `You may lose what ${one.role.name} lets you do here, and have nobody who gives it back.`, "Take it"))) return;
    await api.delete(place(one.scope.project.id, one.user.id, one.role.id));
    again();
  };
  return (
    <section class="part">
      <header class="head">
        <h2>
          Roles <span class="count">{those.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist">
        {those.map((one) => (
          <li key={JSON.stringify(one.links)}>
            <strong>{one.role.name}</strong> {of === "users" ? <Where scope={one.scope} /> : <Whose one={one} />}{" "}
            {one.user && one.scope.project && !one.scope["OS-INHERIT:inherited_to"] && <Remove what={`${one.role.name} of ${one.user.name} in ${one.scope.project.name}`} run={() => take(one)} />}
          </li>
        ))}
      </ul>
      <Inline
        title="Give a role"
        fields={[chosen("role", "Role", roles.value?.roles ?? []), chosen("other", of === "users" ? "In project" : "To user", found.value?.[others] ?? [])]}
        save={give}
      />
    </section>
  );
}

// by id: two may have one name, in two domains
function chosen(name: string, label: string, those: Thing[]): InlineField {
  const labels = Object.fromEntries(those.map((one) => [one.id, one.name]));
  if (those.length >= MOST) return { name, label: `${label} (ID)`, as: "text" };
  return { name, label, as: "choice", choices: ["", ...those.map((one) => one.id)], labels };
}

function Where({ scope }: { scope: Thing }): JSX.Element {
  const inherited = scope["OS-INHERIT:inherited_to"] ? ", in projects below" : "";
  if (scope.project)
    return (
      <>
        in <a href={href(["people", "projects", scope.project.id])}>{scope.project.name}</a>
        {inherited}
      </>
    );
  return (
    <>
      {scope.domain ? `in the domain ${scope.domain.name}` : "of the whole system"}
      {inherited}
    </>
  );
}

function Whose({ one }: { one: Thing }): JSX.Element {
  if (one.user)
    return (
      <>
        <a href={href(["people", "users", one.user.id])}>{one.user.name}</a>
        {one.scope["OS-INHERIT:inherited_to"] && ", in projects below"}
      </>
    );
  return <>the group {one.group?.name}</>;
}
