// A new object, or one that is changed: the fields that the API takes from this caller.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Refusal, type Thing, api, part } from "../api";
import { useData } from "../data";
import { useKeys } from "../keys";
import { go, href, place } from "../route";
import { type Resource, oneOf } from "../resources/types";
import { may } from "../session";
import { Field } from "../ui/field";
import { Refused, Waiting } from "../ui/notice";
import { wordOf } from "../words";
import { type Values, asOf, blamed, body, fieldsOf, initial } from "../ui/values";

export function NewPage({ resource }: { resource: Resource }): JSX.Element {
  const back = [resource.kind];
  const save = async (said: Thing): Promise<string[]> => {
    const made = await api.post(resource.path, { [resource.member]: said });
    const one = oneOf(resource, made)!;
    return resource.after?.(one) ?? [resource.kind, one.id];
  };
  return <Form key={resource.kind} resource={resource} title={`New ${resource.one}`} save={save} back={back} />;
}

export function EditPage({ resource, id }: { resource: Resource; id: string }): JSX.Element {
  const url = `${resource.path}/${part(id)}`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal));
  const before = oneOf(resource, value);
  if (!before)
    return refusal ? (
      <section>
        <h1>{resource.one}</h1>
        <Refused by={refusal} />
      </section>
    ) : (
      <Waiting />
    );
  const save = async (said: Thing): Promise<string[]> => {
    if (Object.keys(said).length) await api.put(url, { [resource.member]: said });
    return [resource.kind, id];
  };
  return <Form key={id} resource={resource} title={`Change ${before[resource.name] || id}`} before={before} save={save} back={[resource.kind, id]} />;
}

interface Props {
  resource: Resource;
  title: string;
  before?: Thing;
  save: (said: Thing) => Promise<string[]>; // where one is then
  back: string[];
}

function Form({ resource, title, before, save, back }: Props): JSX.Element {
  const fields = useMemo(() => fieldsOf(resource, before, may), []);
  // with what is not changed, too: by that it is known which fields apply
  const start = useMemo(() => ({ ...before, ...initial(resource, fields, before, place.value.query) }), []);
  const [values, setValues] = useState<Values>(start);
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  const here = useRef(true);
  useEffect(
    () => () => {
      here.current = false;
    },
    [],
  );
  const wrong = refusal && blamed(refusal.message, fields);
  useKeys([{ key: "Escape", does: "back", run: () => go(back) }]);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setRefusal(undefined);
    try {
      const next = await save(body(resource, fields, values, start, !before));
      if (here.current) go(next); // who has gone elsewhere meanwhile stays there
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)));
      setBusy(false);
    }
  };
  return (
    <section class="narrow">
      <header class="head">
        <h1>{title}</h1>
      </header>
      <form onSubmit={submit} noValidate>
        {refusal && !wrong && <Refused by={refusal} />}
        {fields
          .filter((field) => !field.when || field.when(values))
          .map((field) => (
            <Field
              key={field.name}
              field={field}
              as={asOf(resource, field)}
              label={field.label ?? wordOf(field.name)}
              value={values[field.name]}
              required={resource.attributes[field.name].required && !before}
              problem={wrong === field.name ? refusal!.message : undefined}
              set={(value) => setValues((now) => ({ ...now, [field.name]: value }))}
            />
          ))}
        {resource.preview && (
          <p class="preview" aria-live="polite">
            {resource.preview(values)}
          </p>
        )}
        <footer>
          <a class="button" href={href(back)}>
            Cancel
          </a>
          <button class="main" disabled={busy}>
            {before ? "Save" : `Make the ${resource.one}`}
          </button>
        </footer>
      </form>
    </section>
  );
}
