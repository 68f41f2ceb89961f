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
  fields: InlineField[];
  save: (values: Thing) => Promise<unknown>;
  preview?: (values: Thing) => ComponentChildren; // of what it holds
}

export function Inline({ title, fields, save, preview }: Props): JSX.Element {
  const [open, setOpen] = useState(false);
  const start = Object.fromEntries(fields.map((field) => [field.name, field.start ?? (field.as === "flag" ? false : "")]));
  const [values, setValues] = useState<Thing>(start);
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  if (!open)
    return (
      <button type="button" onClick={() => setOpen(true)}>
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
    <form class="inline" onSubmit={submit} noValidate aria-label={title}>
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

// without what was left empty
export function said(values: Thing): Thing {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
}

export const asNumber = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);
