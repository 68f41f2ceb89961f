// On a pool's page its members; on an L7 policy's its rules.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { useData } from "../data";
import { choicesOf } from "../resources/all";
import { BALANCED, member } from "../resources/lines";
import { href } from "../route";
import { mayChange } from "../session";
import { State } from "./cells";
import { Inline, type InlineField, asNumber, changed, difference, said } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

const ROOT = "/load-balancer/v2/lbaas/";
const MOST = 500;

const ASKED_ELSEWHERE: InlineField[] = [
  { name: "monitor_address", label: "The monitor asks", as: "text", help: "Empty: its address" },
  { name: "monitor_port", label: "at the port", as: "number", help: "Empty: its port" },
];
const MEMBER_FIELDS: InlineField[] = [
  { name: "name", label: "Name", as: "text" },
  { name: "weight", label: "Weight", as: "number" },
  { name: "backup", label: "Only when no other is well", as: "flag" },
  ...ASKED_ELSEWHERE,
  { name: "admin_state_up", label: "Admin state up", as: "flag" },
];
const ruleFields = (): InlineField[] => [
  { name: "type", label: "What", as: "choice", choices: choicesOf("l7rules", "type"), start: choicesOf("l7rules", "type")[0] },
  { name: "compare_type", label: "How", as: "choice", choices: choicesOf("l7rules", "compare_type"), start: "EQUAL_TO" },
  { name: "key", label: "Key", as: "text", help: "A header's or a cookie's name", when: (values) => ["HEADER", "COOKIE", "SSL_DN_FIELD"].includes(values.type) },
  { name: "value", label: "Value", as: "text" },
  { name: "invert", label: "It must not be so", as: "flag" },
];

export function PoolMembers({ pool }: { pool: Thing }): JSX.Element {
  const url = `${ROOT}pools/${part(pool.id)}/members`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(`${url}?limit=${MOST + 1}`, signal), BALANCED);
  const members: Thing[] = value?.members ?? [];
  const weigh = (one: Thing, weight: number): Promise<unknown> => api.put(`${url}/${part(one.id)}`, { member: { weight } });
  return (
    <section class="part">
      <header class="head">
        <h2>
          Members {value && <span class="count">{members.length > MOST ? `more than ${MOST}` : members.length}</span>}
        </h2>
        {!pool.healthmonitor_id && mayChange.value && (
          <a class="button" href={href(["healthmonitors", "new"], [["pool_id", pool.id]])}>
            Add a health monitor
          </a>
        )}
      </header>
      <Refused by={refusal} />
      <ul class="plainlist" aria-label="Members">
        {members.slice(0, MOST).map((one) => {
          const where = member.to(one as any);
          return (
            <li key={one.id}>
              <code>{where}</code> {one.name && <span class="dim">{one.name}</span>} <State word={one.operating_status} />
              <span class="note">
                weight {one.weight}
                {one.backup && ", backup"}
                {!one.admin_state_up && ", admin down"}
                {one.provisioning_status !== "ACTIVE" && `, ${one.provisioning_status}`}
              </span>{" "}
              <Inline title="Change" what={where} fields={changed(MEMBER_FIELDS, one)} save={(values) => api.put(`${url}/${part(one.id)}`, { member: difference(MEMBER_FIELDS, one, values) })} />{" "}
              {one.weight > 0 ? <Remove what={where} word="Drain" run={() => weigh(one, 0)} /> : <Remove what={where} word="Undrain" run={() => weigh(one, 1)} />}{" "}
              <Remove what={where} run={() => api.delete(`${url}/${part(one.id)}`)} />
            </li>
          );
        })}
      </ul>
      {mayChange.value && (
        <Inline
          title="Add a member"
          fields={[
            { name: "address", label: "Address and port", as: "text", help: "ADDRESS:PORT" },
            { name: "name", label: "Name", as: "text" },
            { name: "weight", label: "Weight", as: "text", start: "1" },
            { name: "backup", label: "Only when no other is well", as: "flag" },
            { name: "subnet_id", label: "Subnet", as: "ref", of: "subnets", help: "None: the VIP's" },
            ...ASKED_ELSEWHERE,
          ]}
          save={({ address, weight, monitor_port, ...more }) =>
            api.post(url, { member: said({ ...more, ...member.from(address.trim()), weight: asNumber(weight), monitor_port: asNumber(monitor_port) }) })
          }
        />
      )}
    </section>
  );
}

export function L7Rules({ policy }: { policy: Thing }): JSX.Element {
  const url = `${ROOT}l7policies/${part(policy.id)}/rules`;
  const { value, refusal } = useData<Thing>(url, (signal) => api.get(url, signal), BALANCED);
  const rules: Thing[] = value?.rules ?? [];
  return (
    <section class="part">
      <header class="head">
        <h2>
          Rules {value && <span class="count">{rules.length}</span>}
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist" aria-label="Rules">
        {rules.map((one) => (
          <li key={one.id}>
            <code>
              {one.type} {one.key} {one.invert && "not "}
              {one.compare_type} {one.value}
            </code>{" "}
            <Inline title="Change" what={`rule ${one.type} ${one.value}`} fields={changed(ruleFields(), one)} save={(values) => api.put(`${url}/${part(one.id)}`, { rule: difference(ruleFields(), one, values) })} />{" "}
            <Remove what={`rule ${one.type} ${one.value}`} run={() => api.delete(`${url}/${part(one.id)}`)} />
          </li>
        ))}
      </ul>
      <p class="dim">All of them have to hold.</p>
      {mayChange.value && (
        <Inline
          title="Add a rule"
          fields={ruleFields()}
          save={(values) => api.post(url, { rule: said(values) })}
        />
      )}
    </section>
  );
}
