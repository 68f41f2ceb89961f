// The first page: what does not work, how much is used, and for admins the region's pools.
import type { ComponentChildren, JSX } from "preact";
import { type Refusal, type Thing, api, query } from "../api";
import { useData } from "../data";
import { RESOURCES } from "../resources/all";
import { kindsOf } from "../resources/types";
import { href } from "../route";
import { isAdmin, mayChange, session } from "../session";
import { Refused, Waiting } from "../ui/notice";
import { Table } from "../ui/table";
import { Use } from "../ui/use";
import { titleOf, useQuota } from "./quotas";

export function OverviewPage(): JSX.Element {
  const project = session.value?.project;
  return (
    <section>
      <header class="head">
        <h1>{project?.name ?? "No project"}</h1>
        {mayChange.value && (
          <a class="button main" href={href(["build"])}>
            Build a network
          </a>
        )}
      </header>
      <Faulty />
      <div class="halves">
        {project && <Quota project={project.id} />}
        {isAdmin.value && <Region />}
      </div>
      {isAdmin.value && <Addresses />}
    </section>
  );
}

const MOST = 20;

// what is looked for: how many are asked for at most, and which of these do not do what they are for
interface Sought {
  kind: string;
  title: string;
  asking: [string, string][];
  bad: (one: Thing) => boolean;
  admin?: boolean;
}

const SOUGHT: Sought[] = [
  { kind: "agents", title: "Silent agents", asking: [["alive", "false"]], bad: () => true, admin: true },
  // ports that are to carry traffic
  {
    kind: "ports",
    title: "Ports that are down",
    asking: [["status", "DOWN"], ["status", "ERROR"], ["admin_state_up", "true"], ["limit", String(MOST)]],
    bad: (port) => Boolean(port.device_id) && !port.device_owner.startsWith("network:"),
  },
  { kind: "checks", title: "Checks that fail", asking: [["status", "FAILING"], ["limit", String(MOST)]], bad: () => true },
  {
    kind: "loadbalancers",
    title: "Load balancers with faults",
    asking: [["fields", "id"], ["fields", "name"], ["fields", "provisioning_status"], ["fields", "operating_status"], ["fields", "admin_state_up"], ["fields", "vip_address"], ["fields", "vip_subnet_id"], ["fields", "listeners"], ["fields", "project_id"]],
    bad: (one) => one.admin_state_up && (one.provisioning_status === "ERROR" || ["ERROR", "DEGRADED"].includes(one.operating_status)),
  },
];

function Faulty(): JSX.Element {
  const asked = SOUGHT.map((one) => ({ one, ...useSought(one) }));
  const found = asked.filter(({ rows, refusal }) => rows?.length || refusal);
  if (!found.length && asked.some(({ rows }) => !rows)) return <Waiting />;
  return (
    <section class="part">
      <h2>{found.length ? "What does not work" : <span class="state good">all that is in use works</span>}</h2>
      {found.map(({ one, rows, refusal }) => (
        <div key={one.kind}>
          <h3>{one.title}</h3>
          <Refused by={refusal} />
          {rows && rows.length > 0 && <Table resource={RESOURCES[one.kind]} rows={rows.slice(0, MOST)} label={one.title} />}
        </div>
      ))}
    </section>
  );
}

function useSought({ kind, asking, bad, admin }: Sought): { rows?: Thing[]; refusal?: Refusal } {
  const resource = RESOURCES[kind];
  const url = resource.path + query(asking);
  const asks = !admin || isAdmin.value;
  const { value, refusal } = useData<Thing>(`${url} ${asks}`, (signal) => (asks ? api.get(url, signal) : Promise.resolve({ [kind]: [] })), kindsOf(resource), 1000);
  return { rows: value?.[kind].filter(bad), refusal };
}

function Panel({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Quota({ project }: { project: string }): JSX.Element {
  const { value, refusal } = useQuota(project);
  const used = Object.entries<any>(value?.quota ?? {}).filter(([, one]) => one.used > 0 || one.limit >= 0);
  return (
    <Panel title="Quota">
      <Refused by={refusal} />
      {!value && !refusal && <Waiting />}
      <dl class="facts">
        {used.map(([member, { used, limit }]) => (
          <Line key={member} title={titleOf(member)}>
            <Use used={used} of={limit} />
          </Line>
        ))}
      </dl>
      <a href={href(["quotas"])}>All quotas</a>
    </Panel>
  );
}

function Line({ title, children }: { title: ComponentChildren; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Region(): JSX.Element {
  const { value, refusal } = useData<Thing>(
    "ranges",
    (signal) => api.get(`network_segment_ranges${query([["fields", "id"], ["fields", "name"], ["fields", "network_type"], ["fields", "physical_network"], ["fields", "minimum"], ["fields", "maximum"], ["fields", "used"]])}`, signal),
    ["network_segment_ranges", "networks"],
    3000,
  );
  return (
    <Panel title="VLANs and VNIs">
      <Refused by={refusal} />
      <dl class="facts">
        {(value?.network_segment_ranges ?? []).map((one: Thing) => (
          <Line key={one.id} title={`${one.network_type} ${one.physical_network ?? ""} ${one.minimum}–${one.maximum}`}>
            <Use used={Object.keys(one.used ?? {}).length} of={one.maximum - one.minimum + 1} />
          </Line>
        ))}
      </dl>
      <a href={href(["network_segment_ranges"])}>All ranges</a>
    </Panel>
  );
}

function Addresses(): JSX.Element {
  const { value, refusal } = useData<Thing>("addresses", (signal) => api.get(`network-ip-availabilities${query([["limit", "200"]])}`, signal), ["networks", "subnets", "ports"], 3000);
  const all: Thing[] = (value?.network_ip_availabilities ?? []).flatMap((one: Thing) => one.subnet_ip_availability);
  const those = all.filter((one) => one.total_ips > 0).sort((a, b) => b.used_ips / b.total_ips - a.used_ips / a.total_ips);
  return (
    <Panel title="Addresses, the fullest subnets first">
      <Refused by={refusal} />
      <dl class="facts">
        {those.slice(0, MOST).map((one) => (
          <Line
            key={one.subnet_id}
            title={
              <a href={href(["subnets", one.subnet_id])}>
                {one.subnet_name} <code>{one.cidr}</code>
              </a>
            }
          >
            <Use used={one.used_ips} of={one.total_ips} />
          </Line>
        ))}
      </dl>
    </Panel>
  );
}
