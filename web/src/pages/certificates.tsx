// Certificates that load balancers use: what the key manager has, by name.  What is in them is told to nobody again.
import type { JSX } from "preact";
import { Refusal, type Thing } from "../api";
import { useData } from "../data";
import { type Held, type Secret, askHeld, drop, isPkcs12, lacks, storePem, storePkcs12 } from "../resources/held";
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

const invalid = (field: string, why: string): Refusal => new Refusal(0, "BadRequest", `Invalid input for ${field}. ${why}`);

async function keep(values: Thing): Promise<unknown> {
  const kind: Held = values.kind;
  const name = values.name.trim();
  const bytes = values.file && new Uint8Array(await values.file.arrayBuffer());
  if (bytes && values.pem.trim()) throw invalid("file", "A file, or what is in it: one of both.");
  if (bytes && isPkcs12(bytes)) return keepPkcs12(kind, name, bytes, values.passphrase);
  const pem = `${(bytes ? new TextDecoder().decode(bytes) : values.pem).trim()}\n`;
  const [field, problem] = lacks(kind, pem, values.passphrase) ?? [];
  if (problem) throw invalid(field === "pem" && bytes ? "file" : field!, problem);
  return storePem(name, kind, pem, values.passphrase);
}

async function keepPkcs12(kind: Held, name: string, bytes: Uint8Array, passphrase: string): Promise<unknown> {
  if (kind !== "certificate") throw invalid("file", "This is to be PEM: PKCS #12 is a certificate with its private key.");
  if (passphrase) throw invalid("passphrase", "Balancers take PKCS #12 without a passphrase only: make PEM of it, openssl pkcs12 -in FILE -out FILE.pem, which may have one.");
  return storePkcs12(name, bytes);
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
            { name: "pem", label: "PEM", as: "lines", help: "The certificate, those between it and its authority, and its private key, one after the other" },
            { name: "file", label: "Or a file", as: "file", help: "PEM, or PKCS #12 (.p12, .pfx) without a passphrase" },
            { name: "passphrase", label: "Passphrase of the private key", as: "password", when: ({ kind }) => kind === "certificate" },
          ]}
          save={(values) => keep(values).then(again)}
        />
      )}
    </section>
  );
}
