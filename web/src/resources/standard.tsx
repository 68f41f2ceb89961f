// Columns and fields that most resources have.
import { Id, Ref, State } from "../ui/cells";
import type { Column, Field } from "./types";
import { href } from "../route";

// a name may be empty, or anything: it is only ever text
export const NAME: Column = { name: "name", title: "Name" };

export const STATE: Column = {
  name: "status",
  title: "Status",
  cell: (one) => (
    <>
      <State word={one.status} />
      {one.admin_state_up === false && <span class="note">admin down</span>}
      {one.status_detail && <span class="note">{one.status_detail}</span>}
    </>
  ),
};

export const projectColumn: Column = {
  name: "project_id",
  title: "Project",
  admin: true,
  cell: (one) => <Ref kind="projects" id={one.project_id} />,
};

export const DESCRIPTION: Field = { name: "description", label: "Description" };
export const UP: Field = { name: "admin_state_up", label: "Admin state up" };
export const PROJECT: Field = { name: "project_id", label: "Project", help: "Empty: this one" };

export function linkTo(kind: string, one: { id: string }, name: string) {
  return <a href={href([kind, one.id])}>{name || <Id id={one.id} />}</a>;
}
