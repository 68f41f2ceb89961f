// A firewall rule as a sentence; a policy's rules in their order, with what each has decided; a group's ports.
import { Fragment, type JSX } from "preact";
import { useEffect } from "preact/hooks";
import { type Thing, api, part, query } from "../api";
import { useData } from "../data";
import { RULE_FIELDS } from "../resources/firewallrules";
import { type Piece, inserted, moved, sentence } from "../resources/firewallsentence";
import { href } from "../route";
import { mayChange } from "../session";
import { Mono, Ref, State, short } from "./cells";
import { Inline, said } from "./inline";
import { Refused } from "./notice";
import { Remove } from "./removable";

const RULES = "fwaas/firewall_rules";
const POLICIES = "fwaas/firewall_policies";
const GROUPS = "fwaas/firewall_groups";
const MOST = 100; // shown of a policy's rules, and of a group's ports
const COUNTED_MS = 5000; // no feed tells of counters

function Pieces({ of }: { of: Piece[] }): JSX.Element {
  return (
    <>
      {of.map((piece, at) => (
        <Fragment key={at}>
          {at > 0 && " "}
          {typeof piece === "string" ? <span>{piece}</span> : <Ref kind={piece.kind} id={piece.id} />}
        </Fragment>
      ))}
    </>
  );
}

export function FirewallRuleText({ rule }: { rule: Thing }): JSX.Element {
  const { verb, what, from, to } = sentence(rule);
  return (
    <span class="rule">
      {verb} <strong>{what}</strong> from <Pieces of={from} /> to <Pieces of={to} />
      {rule.enabled === false && <span class="note">switched off</span>}
    </span>
  );
}

const asked = (ids: string[]): string => query(ids.map((id): [string, string] => ["id", id]));

// by rule: packets that it has decided about
function useHits(ids: string[]): Map<string, number> {
  const url = `netweft/counters${asked(ids)}&object_type=firewall_rule`;
  const { value, again } = useData<Thing>(url, (signal) => (ids.length ? api.get(url, signal) : Promise.resolve({ counters: [] })));
  useEffect(() => {
    const timer = setInterval(again, COUNTED_MS);
    return () => clearInterval(timer);
  }, [url]);
  return new Map((value?.counters ?? []).map((one: Thing) => [one.id, one.packets_in]));
}

export function Hits({ of }: { of: number | undefined }): JSX.Element {
  return <span class="note">{of === undefined ? "–" : of.toLocaleString("en")} hits</span>;
}

export function RuleHits({ rule }: { rule: Thing }): JSX.Element {
  return (
    <section class="part">
      <h2>Decided</h2>
      <p>
        <FirewallRuleText rule={rule} /> <Hits of={useHits([rule.id]).get(rule.id)} />
      </p>
    </section>
  );
}

// what: in front of how many there are
export function PolicyRules({ policy, what = "Rules" }: { policy: Thing; what?: string }): JSX.Element {
  const ids: string[] = policy.firewall_rules ?? [];
  const first = ids.slice(0, MOST);
  const url = `${RULES}${asked(first)}`;
  const { value, refusal } = useData<Thing>(url, (signal) => (first.length ? api.get(url, signal) : Promise.resolve({ firewall_rules: [] })), ["firewall_rules"]);
  const hits = useHits(first);
  const rules = new Map<string, Thing>((value?.firewall_rules ?? []).map((one: Thing) => [one.id, one]));
  const path = `${POLICIES}/${part(policy.id)}`;
  // of the order that is shown, and of no other
  const put = (firewall_rules: string[]): Promise<unknown> => api.put(path, { firewall_policy: { firewall_rules } }, { "If-Match": `revision_number=${policy.revision_number}` });
  return (
    <section class="part">
      <header class="head">
        <h2>
          {what} <span class="count">{ids.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ol class="plainlist ordered" aria-label={what}>
        {first.map((id, at) => {
          const rule = rules.get(id);
          const name = rule?.name || short(id);
          return (
            <li key={id}>
              {rule ? <FirewallRuleText rule={rule} /> : <Ref kind="firewall_rules" id={id} />} <a href={href(["firewall_rules", id])}>{name}</a> <Hits of={hits.get(id)} />{" "}
              {at > 0 && <Remove what={name} word="Up" run={() => put(moved(ids, id, -1))} />} {at < ids.length - 1 && <Remove what={name} word="Down" run={() => put(moved(ids, id, 1))} />}{" "}
              <Remove what={name} run={() => api.put(`${path}/remove_rule`, { firewall_rule_id: id })} />
            </li>
          );
        })}
      </ol>
      {ids.length > MOST && <p class="dim">and {ids.length - MOST} more, which are asked after these.</p>}
      <p class="dim">The first that is true of a packet decides. What none is true of is denied; answers to what is allowed pass.</p>
      {mayChange.value && <Insert path={path} rules={ids} project={policy.project_id} />}
    </section>
  );
}

const PLACE = { name: "place", label: "Place", as: "number", help: "1: it is asked first; empty: last" } as const;

function Insert({ path, rules, project }: { path: string; rules: string[]; project: string }): JSX.Element {
  const insert = (id: string, place: string): Promise<unknown> =>
    api.put(`${path}/insert_rule`, { firewall_rule_id: id, ...inserted(rules, /^\d+$/.test(place) ? Number(place) : rules.length + 1) });
  const add = async ({ place, ip_version, ...rest }: Thing): Promise<void> => {
    const { firewall_rule } = await api.post(RULES, { firewall_rule: { ...said(rest), ip_version: Number(ip_version), project_id: project } });
    try {
      await insert(firewall_rule.id, place);
    } catch (error) {
      await api.delete(`${RULES}/${part(firewall_rule.id)}`).catch(() => {});
      throw error;
    }
  };
  return (
    <>
      <Inline title="Add a rule" fields={[PLACE, ...RULE_FIELDS]} save={add} preview={(values) => <FirewallRuleText rule={values} />} />{" "}
      <Inline title="Insert a rule that is there" fields={[PLACE, { name: "firewall_rule_id", label: "Rule", as: "ref", of: "firewall_rules" }]} save={(values) => insert(values.firewall_rule_id, values.place)} />
    </>
  );
}

// of a group: what its ports let in, and out
export function GroupPolicies({ group }: { group: Thing }): JSX.Element {
  return (
    <>
      <GroupPolicy id={group.ingress_firewall_policy_id} title="What comes in" />
      <GroupPolicy id={group.egress_firewall_policy_id} title="What goes out" />
    </>
  );
}

function GroupPolicy({ id, title }: { id: string | null; title: string }): JSX.Element {
  const url = `${POLICIES}/${part(id ?? "")}`;
  const { value, refusal } = useData<Thing>(url, (signal) => (id ? api.get(url, signal) : Promise.resolve(null)), ["firewall_policies"]);
  const policy: Thing | undefined = value?.firewall_policy;
  if (policy) return <PolicyRules policy={policy} what={title} />;
  return (
    <section class="part">
      <h2>{title}</h2>
      <Refused by={refusal} />
      {!id && <p class="dim">Answers only: there is no policy.</p>}
    </section>
  );
}

export function FirewallPorts({ group }: { group: Thing }): JSX.Element {
  const ids: string[] = group.ports ?? [];
  const first = ids.slice(0, MOST);
  const url = `ports${asked(first)}`;
  const { value, refusal } = useData<Thing>(url, (signal) => (first.length ? api.get(url, signal) : Promise.resolve({ ports: [] })), ["ports"]);
  const ports = new Map<string, Thing>((value?.ports ?? []).map((one: Thing) => [one.id, one]));
  const put = (those: string[]): Promise<unknown> =>
    api.put(`${GROUPS}/${part(group.id)}`, { firewall_group: { ports: those } }, { "If-Match": `revision_number=${group.revision_number}` });
  return (
    <section class="part">
      <header class="head">
        <h2>
          Ports <span class="count">{ids.length}</span>
        </h2>
      </header>
      <Refused by={refusal} />
      <ul class="plainlist" aria-label="Ports">
        {first.map((id) => {
          const port = ports.get(id);
          return (
            <li key={id}>
              <Ref kind="ports" id={id} />{" "}
              {port && (
                <>
                  <Mono>{port.fixed_ips.map((one: Thing) => one.ip_address).join(" ")}</Mono> <State word={port.status} />{" "}
                  {port.device_owner.startsWith("network:router") && (
                    <span class="note">
                      of router <Ref kind="routers" id={port.device_id} />
                    </span>
                  )}{" "}
                </>
              )}
              <Remove what={port?.name || short(id)} run={() => put(ids.filter((one) => one !== id))} />
            </li>
          );
        })}
      </ul>
      {ids.length > MOST && <p class="dim">and {ids.length - MOST} more.</p>}
      {mayChange.value && (
        <Inline title="Add a port" fields={[{ name: "port_id", label: "Port", as: "ref", of: "ports", help: "Of a VM, or a router's interface" }]} save={(values) => put([...ids, values.port_id])} />
      )}
    </section>
  );
}
