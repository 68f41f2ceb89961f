import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal } from "../api";
import { logIn } from "../session";
import { Refused } from "../ui/notice";

export function LoginPage(): JSX.Element {
  const [values, setValues] = useState({ user: "", password: "", domain: "Default", project: "" });
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  const [more, setMore] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setRefusal(undefined);
    try {
      await logIn(values);
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)));
      setValues((now) => ({ ...now, password: "" }));
      setBusy(false);
    }
  };
  const input = (name: keyof typeof values, label: string, type: "text" | "password", autocomplete: string): JSX.Element => (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        type={type as "text"}
        autocomplete={autocomplete}
        value={values[name]}
        autofocus={name === "user"}
        onInput={(event) => {
          const { value } = event.currentTarget;
          setValues((now) => ({ ...now, [name]: value }));
        }}
      />
    </div>
  );
  return (
    <main class="login">
      <form onSubmit={submit} noValidate>
        <h1>Netweft</h1>
        <Refused by={refusal} />
        {input("user", "User name", "text", "username")}
        {input("password", "Password", "password", "current-password")}
        {more && input("domain", "Domain", "text", "off")}
        {more && input("project", "Project, if not the usual one", "text", "off")}
        <footer>
          {!more && (
            <button type="button" class="plain" onClick={() => setMore(true)}>
              Domain and project…
            </button>
          )}
          <button class="main" disabled={busy}>
            Log in
          </button>
        </footer>
      </form>
    </main>
  );
}
