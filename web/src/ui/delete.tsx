// One or many objects go: asked first, then told what was refused.
import { type Thing, Refusal, api, part } from "../api";
import type { Resource } from "../resources/types";
import { confirmed } from "./confirm";

const AT_ONCE = 4;

export interface Kept {
  one: Thing;
  refusal: Refusal;
}

// what was not deleted, and why; null: it was thought over
export async function remove(resource: Resource, those: Thing[]): Promise<Kept[] | null> {
  const title = those.length === 1 ? `Delete this ${resource.one}?` : `Delete ${those.length} ${resource.title.toLowerCase()}?`;
  const shown = those.slice(0, 12);
  const text = (
    <ul>
      {shown.map((one) => (
        <li key={one.id}>
          {one[resource.name] || ""} <code>{one.id}</code>
        </li>
      ))}
      {those.length > shown.length && <li>and {those.length - shown.length} more</li>}
      {resource.more && <li>with {resource.more}</li>}
    </ul>
  );
  if (!(await confirmed(title, text, "Delete"))) return null;
  return each(those, (one) => api.delete(`${resource.path}/${part(one.id)}${resource.deletion ?? ""}`));
}

// the same to each of many, some at a time: what was refused, and why
export async function each(those: Thing[], work: (one: Thing) => Promise<unknown>): Promise<Kept[]> {
  const left = [...those];
  const kept: Kept[] = [];
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one; one = left.shift())
      try {
        await work(one);
      } catch (error) {
        if (error instanceof Refusal && error.status !== 404) kept.push({ one, refusal: error });
      }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return kept;
}
