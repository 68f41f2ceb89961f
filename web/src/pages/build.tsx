// A network with a router and a VM's port, in one form: one request after the other, each shown; what was made can be
// taken back when one is refused.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing, api, part } from "../api";
import { RESOURCES } from "../resources/all";
import { href } from "../route";
import type { As } from "../resources/types";
import { Field } from "../ui/field";
import { Refused } from "../ui/notice";

interface Made {
  kind: string;
  id: string;
  name: string;
  undo: () => Promise<unknown>;
}

const START = { name: "", cidr: "10.0.0.0/24", router: "new", router_id: "", external: "", port: true, port_name: "", group: "", floating: false };
type Wanted = typeof START;

export function BuildPage(): JSX.Element {
  const [wanted, setWanted] = useState<Wanted>(START);
  const [made, setMade] = useState<Made[]>([]);
  const [refusal, setRefusal] = useState<Refusal>();
  const [state, setState] = useState<"asked" | "busy" | "done">("asked");
  const set = (name: keyof Wanted) => (value: any) => setWanted((now) => ({ ...now, [name]: value }));

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setState("busy");
    setRefusal(undefined);
    const done: Made[] = [];
    const note = (one: Made): void => {
      done.push(one);
      setMade([...done]);
    };
    try {
      await build(wanted, note);
      setState("done");
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)));
      setState("asked");
    }
  };
  const takeBack = async (): Promise<void> => {
    const left = [...made];
    try {
      while (left.length) {
        await left[left.length - 1].undo();
        left.pop();
        setMade([...left]);
      }
      setRefusal(undefined);
    } catch (error) {
      if (error instanceof Refusal) setRefusal(error);
    }
  };
  const field = (name: keyof Wanted, label: string, as: As, more: Record<string, unknown> = {}): JSX.Element => (
    <Field
      field={{ name, ...more }}
      as={as}
      label={label}
      value={wanted[name]}
      problem={refusal?.message.includes(`Invalid input for ${name}.`) ? refusal.message : undefined}
      set={set(name)}
    />
  );
  return (
    <section class="narrow">
      <header class="head">
        <h1>Build a network</h1>
      </header>
      {state !== "done" && (
        <form onSubmit={submit} noValidate>
          <Refused by={refusal} />
          <fieldset>
            <legend>Network and subnet</legend>
            {field("name", "Name", "text")}
            {field("cidr", "CIDR", "text", { help: "IPv4 or IPv6" })}
          </fieldset>
          <fieldset>
            <legend>Router</legend>
            {field("router", "Router", "choice", { choices: ["new", "existing", "none"] })}
            {wanted.router === "existing" && field("router_id", "Which", "ref", { of: "routers" })}
            {wanted.router === "new" && field("external", "Gateway: external network", "ref", { of: "networks", asking: { "router:external": "true" }, help: "None: it is not connected to the outside" })}
          </fieldset>
          <fieldset>
            <legend>Port for a VM</legend>
            {field("port", "Make a port", "flag")}
            {wanted.port && field("port_name", "Its name", "text", { help: "Empty: as the network, with -vm" })}
            {wanted.port && field("group", "Security group", "ref", { of: "security_groups", help: "None: the project's default group" })}
            {wanted.port && wanted.router === "new" && wanted.external && field("floating", "With a floating IP", "flag")}
          </fieldset>
          <footer>
            {made.length > 0 && state !== "busy" && (
              <button type="button" onClick={takeBack}>
                Take back what was made
              </button>
            )}
            <button class="main" disabled={state === "busy" || made.length > 0}>
              Build
            </button>
          </footer>
        </form>
      )}
      {made.length > 0 && (
        <>
          <h2>{state === "done" ? <span class="state good">built</span> : "Made so far"}</h2>
          <ul class="plainlist" aria-live="polite">
            {made.map((one) => (
              <li key={one.kind + one.id}>
                {RESOURCES[one.kind].one} <a href={href([one.kind, one.id])}>{one.name || one.id}</a>
              </li>
            ))}
          </ul>
        </>
      )}
      {state === "done" && (
        <p>
          Nova or libvirt plugs the VM by the port's ID; it is ACTIVE when its host has wired it.{" "}
          <button
            type="button"
            onClick={() => {
              setMade([]);
              setWanted(START);
              setState("asked");
            }}
          >
            Build another
          </button>
        </p>
      )}
    </section>
  );
}

async function make(kind: string, values: Thing, note: (one: Made) => void): Promise<Thing> {
  const resource = RESOURCES[kind];
  const one = (await api.post(resource.path, { [resource.member]: values }))[resource.member];
  note({ kind, id: one.id, name: one[resource.name] ?? "", undo: () => api.delete(`${resource.path}/${part(one.id)}`) });
  return one;
}

async function build(wanted: Wanted, note: (one: Made) => void): Promise<void> {
  const name = wanted.name.trim();
  const cidr = wanted.cidr.trim();
  const network = await make("networks", { name }, note);
  const v6 = cidr.includes(":") ? { ip_version: 6, ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" } : { ip_version: 4 };
  const subnet = await make("subnets", { network_id: network.id, name, cidr, ...v6 }, note);
  let router = wanted.router_id;
  if (wanted.router === "new") {
    const external_gateway_info = wanted.external ? { network_id: wanted.external } : null;
    router = (await make("routers", { name, external_gateway_info }, note)).id;
  }
  if (wanted.router !== "none" && router) {
    const interfaces = `routers/${part(router)}`;
    const added = await api.put(`${interfaces}/add_router_interface`, { subnet_id: subnet.id });
    note({ kind: "ports", id: added.port_id, name: "router interface", undo: () => api.put(`${interfaces}/remove_router_interface`, { subnet_id: subnet.id }) });
  }
  if (!wanted.port) return;
  const groups = wanted.group ? { security_groups: [wanted.group] } : {};
  const port = await make("ports", { network_id: network.id, name: wanted.port_name.trim() || (name && `${name}-vm`), ...groups }, note);
  if (wanted.floating && wanted.external && wanted.router === "new") await make("floatingips", { floating_network_id: wanted.external, port_id: port.id }, note);
}
