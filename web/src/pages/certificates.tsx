// Certificates that load balancers use: what the key manager has, by name.  What is in them is told to nobody again.
import type { JSX } from "preact";
import { Refusal } from "../api";
import { useData } from "../data";
import { type Held, type Secret, askHeld, drop, lacks, store } from "../resources/held";
import { mayChange } from "../session";
import { Mono, Time } from "../ui/cells";
import { confirmed } from "../ui/confirm";
import { Inline } from "../ui/inline";
import { Refused, Waiting } from "../ui/notice";
import { Remove } from "../ui/removable";

const KINDS: Record<Held, string> = {
  certificate: "A certificate with its private key",
  authorities: "Authorities (CA), for clients or members",
  revoked: "A list of revoked certificates (CRL)",
};

async function keep(kind: Held, name: string, pem: string): Promise<unknown> {
  const problem = lacks(kind, pem);
  if (problem) throw new Refusal(0, "BadRequest", `Invalid input for pem. ${problem}`);
  return store(name.trim(), kind, pem.trim() + "\n");
}

const sure = (one: Secret): Promise<boolean> => confirmed(`Delete ${one.name || "this certificate"}?`, <p>Load balancers that name it keep it until they are put in place anew, and then lack it.</p>, "Delete");

export function CertificatesPage(): JSX.Element {
  const { value, refusal, again } = useData("held", askHeld);
  return (
    <section>
      <header class="head">
        <h1>Certificates</h1>
      </header>
      <p class="dim">What the key manager has for load balancers. Keys are stored encrypted, and are told to no page.</p>
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      {value && value.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Certificates">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">What</th>
                <th scope="col">Reference</th>
                <th scope="col">Stored</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {value.map((one) => (
                <tr key={one.id}>
                  <th scope="row">{one.name || <span class="dim">unnamed</span>}</th>
                  <td>{one.withKey ? "certificate and key" : "certificates, or revoked ones"}</td>
                  <td>
                    <Mono>{one.id}</Mono>
                  </td>
                  <td>
                    <Time at={one.created} />
                  </td>
                  <td>
                    <Remove what={one.name || one.id} word="Delete" run={async () => (await sure(one)) && (await drop(one), again())} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {value && !value.length && <p class="empty">There are no certificates.</p>}
      {mayChange.value && (
        <Inline
          title="Store a certificate"
          fields={[
            { name: "name", label: "Name", as: "text" },
            { name: "kind", label: "What", as: "choice", choices: Object.keys(KINDS), labels: KINDS, start: "certificate" },
            { name: "pem", label: "PEM", as: "lines", help: "The certificate, those between it and its authority, and its private key without a passphrase, one after the other" },
          ]}
          save={({ kind, name, pem }) => keep(kind, name, pem).then(again)}
        />
      )}
    </section>
  );
}
