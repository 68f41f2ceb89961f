// One field of a form, with what the API refused of it beside it.
import type { JSX } from "preact";
import { type Thing, api, query } from "../api";
import { useData } from "../data";
import { RESOURCES } from "../resources/all";
import { type Secret, askHeld, fits } from "../resources/held";
import { type As, type Field as Declared, rowsOf } from "../resources/types";
import { short } from "./cells";

const MOST = 200; // of more, an id is typed

interface Props {
  field: Declared;
  as: As;
  label: string;
  value: any;
  required?: boolean;
  problem?: string;
  set: (value: any) => void;
}

export function Field(props: Props): JSX.Element {
  const { field, as, label, problem } = props;
  const id = `field-${field.name.replace(/\W/g, "-")}`;
  const about = [problem && `${id}-problem`, field.help && `${id}-help`].filter(Boolean).join(" ") || undefined;
  return (
    <div class={`field ${as}`}>
      <label for={id}>
        {label}
        {props.required && <span aria-hidden="true"> *</span>}
      </label>
      <Input {...props} id={id} about={about} />
      {field.help && (
        <small id={`${id}-help`} class="dim">
          {field.help}
        </small>
      )}
      {problem && (
        <small id={`${id}-problem`} class="problem" role="alert">
          {problem}
        </small>
      )}
    </div>
  );
}

type InputProps = Props & { id: string; about?: string };

function Input({ field, as, value, set, id, about, required, problem }: InputProps): JSX.Element {
  const same = { id, name: field.name, "aria-describedby": about, "aria-invalid": problem ? true : undefined, required };
  const read = (event: { currentTarget: { value: string } }): void => set(event.currentTarget.value);
  switch (as) {
    case "flag":
      return <input {...same} required={false} type="checkbox" checked={value} onChange={(event) => set(event.currentTarget.checked)} />;
    case "lines":
    case "area":
      return <textarea {...same} class={as === "lines" ? "mono" : ""} rows={Math.max(2, String(value).split("\n").length)} value={value} onInput={read} spellcheck={false} />;
    case "choice":
      return (
        <select {...same} value={value} onChange={read}>
          {field.choices?.map((choice) => (
            <option key={choice} value={choice}>
              {field.labels?.[choice] || choice || "–"}
            </option>
          ))}
        </select>
      );
    case "ref":
      return <One {...{ field, as, value, set, id, about, required, problem, label: "" }} />;
    case "refs":
      return <Several {...{ field, as, value, set, id, about, label: "" }} />;
    case "password":
      return <input {...same} type="password" value={value} onInput={read} autocomplete="new-password" />;
    case "file":
      return <input {...same} type="file" onChange={(event) => set(event.currentTarget.files?.[0] ?? "")} />;
    default:
      return <input {...same} type="text" inputMode={as === "number" ? "numeric" : undefined} value={value} onInput={read} autocomplete="off" />;
  }
}

interface Choices {
  options: Thing[];
  more: boolean; // than are shown: an id is typed
  label: (one: Thing) => string;
}

const useChoices = (field: Declared): Choices => (field.held ? useHeld : useObjects)(field); // a field stays what it is

// of the key manager: chosen by name, said by reference
function useHeld(field: Declared): Choices {
  const { value, refusal } = useData<Secret[]>("held", askHeld);
  return { options: (value ?? []).filter((one) => fits(one, field.held!)), more: Boolean(refusal), label: (one) => one.name || short(one.id) };
}

function useObjects(field: Declared): Choices {
  const resource = RESOURCES[field.of!];
  const asked: [string, string][] = Object.entries(field.asking ?? {});
  const fields = [resource.key ?? "id", resource.name, "fixed_ips", "cidr"].filter((name) => resource.attributes[name]);
  const url = resource.path + query([...asked, ["limit", String(MOST + 1)], ...fields.map((name): [string, string] => ["fields", name])]);
  const { value } = useData<Thing>(url, (signal) => api.get(url, signal), [resource.kind]);
  const options = rowsOf(resource, value);
  const label = (one: Thing): string => {
    const more = one.cidr ?? (one.fixed_ips ?? []).map((ip: Thing) => ip.ip_address).join(" ");
    return [one[resource.name] || short(one.id), more].filter(Boolean).join("  ");
  };
  return { options, more: options.length > MOST, label };
}

function One({ field, value, set, id, about, required, problem }: InputProps): JSX.Element {
  const { options, more, label } = useChoices(field);
  const same = { id, name: field.name, "aria-describedby": about, "aria-invalid": problem ? true : undefined, required };
  if (more) return <input {...same} class="mono" value={value} placeholder="ID" onInput={(event) => set(event.currentTarget.value)} />;
  return (
    <select {...same} value={value} onChange={(event) => set(event.currentTarget.value)}>
      <option value="">–</option>
      {value && !options.some((one) => one.id === value) && <option value={value}>{value}</option>}
      {options.map((one) => (
        <option key={one.id} value={one.id}>
          {label(one)}
        </option>
      ))}
    </select>
  );
}

function Several({ field, value, set, id, about }: InputProps): JSX.Element {
  const { options, label } = useChoices(field);
  const chosen: string[] = value;
  const absent = chosen.filter((one) => !options.some((option) => option.id === one)); // stays what it is
  return (
    <select
      id={id}
      name={field.name}
      multiple
      size={Math.min(6, Math.max(2, options.length + absent.length))}
      aria-describedby={about}
      onChange={(event) => set([...event.currentTarget.selectedOptions].map((option) => option.value))}
    >
      {absent.map((one) => (
        <option key={one} value={one} selected>
          {one}
        </option>
      ))}
      {options.map((one) => (
        <option key={one.id} value={one.id} selected={chosen.includes(one.id)}>
          {label(one)}
        </option>
      ))}
    </select>
  );
}
