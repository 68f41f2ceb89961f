// A small form for what belongs to an object: a rule, an interface, a forwarding.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing } from "../api";
import type { As, Field as Declared } from "../resources/types";
import { Field } from "./field";
import { Refused } from "./notice";
import { blamed } from "./values";

export type InlineField = Declared & { as: As; label: string; start?: any };

interface Props {
  title: string; // of the button that opens it
  what?: string; // where there are several such buttons: of what this one is
  fields: InlineField[];
  save: (values: Thing) => Promise<unknown>;
  preview?: (values: Thing) => ComponentChildren; // of what it holds
}

export function Inline({ title, what, fields, save, preview }: Props): JSX.Element {
  const [open, setOpen] = useState(false);
  const start = Object.fromEntries(fields.map((field) => [field.name, field.start ?? (field.as === "flag" ? false : "")]));
  const [values, setValues] = useState<Thing>(start);
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  if (!open)
    return (
      <button type="button" class={what && "small"} aria-label={what && `${title} ${what}`} onClick={() => (setValues(start), setOpen(true))}>
        {title}
      </button>
    );
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setRefusal(undefined);
    try {
      await save(values);
      setValues(start);
      setOpen(false);
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)));
    }
    setBusy(false);
  };
  const wrong = refusal && blamed(refusal.message, fields);
  return (
    <form class="inline" onSubmit={submit} noValidate aria-label={what ? `${title} ${what}` : title}>
      {refusal && !wrong && <Refused by={refusal} />}
      {fields
        .filter((field) => !field.when || field.when(values))
        .map((field) => (
          <Field
            key={field.name}
            field={field}
            as={field.as}
            label={field.label}
            value={values[field.name]}
            problem={wrong === field.name ? refusal!.message : undefined}
            set={(value) => setValues((now) => ({ ...now, [field.name]: value }))}
          />
        ))}
      {preview && (
        <p class="preview" aria-live="polite">
          {preview(values)}
        </p>
      )}
      <footer>
        <button type="button" onClick={() => setOpen(false)}>
          Cancel
        </button>
        <button class="main" disabled={busy}>
          {title}
        </button>
      </footer>
    </form>
  );
}

// the same fields, with what one is now
export const changed = (fields: InlineField[], one: Thing): InlineField[] => fields.map((field) => ({ ...field, start: one[field.name] ?? (field.as === "flag" ? false : "") }));

// what of one is another now, as the API takes it: what was emptied is null
export function difference(fields: InlineField[], one: Thing, values: Thing): Thing {
  const told = fields.map(({ name, as }) => [name, as === "number" ? asNumber(String(values[name])) : values[name]] as const).filter(([name, value]) => value !== (one[name] ?? (typeof value === "boolean" ? false : "")));
  return Object.fromEntries(told.map(([name, value]) => [name, value === "" ? null : value]));
}

// without what was left empty
export function said(values: Thing): Thing {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
}

export const asNumber = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);
