// A load balancer with its listener, pool, members and monitor, in one form and one request: all of it is made, or nothing.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing, api } from "../api";
import { useKeys } from "../keys";
import { RESOURCES, choicesOf } from "../resources/all";
import { member } from "../resources/lines";
import type { As } from "../resources/types";
import { go, href } from "../route";
import { Field } from "../ui/field";
import { said } from "../ui/inline";
import { Refused } from "../ui/notice";
import { blamed } from "../ui/values";

export const START = {
  name: "", vip_subnet_id: "", vip_address: "", additional_vips: [] as string[],
  flavor_id: "", availability_zone: "", vip_qos_policy_id: "",
  protocol: "TCP", protocol_port: "80", default_tls_container_ref: "", sni_container_refs: [] as string[],
  lb_algorithm: "ROUND_ROBIN", members: "", type: "",
};
type Wanted = typeof START;

// below what a listener carries, a pool of the same, but for TLS that ends at the balancer
const POOLS: Record<string, string> = { TERMINATED_HTTPS: "HTTP" };
const ASKED = { delay: 5, timeout: 3, max_retries: 2 };
const isLines = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter(Boolean);
const number = (text: string): number | string => (/^\d+$/.test(text.trim()) ? Number(text) : text);

// what of a form's values the API is told, in one body
export function balancer(wanted: Wanted): Thing {
  const name = wanted.name.trim();
  const members = isLines(wanted.members).map(member.from);
  const pool = {
    name,
    protocol: POOLS[wanted.protocol] ?? wanted.protocol,
    lb_algorithm: wanted.lb_algorithm,
    members,
    ...(wanted.type ? { healthmonitor: { name, type: wanted.type, ...ASKED } } : {}),
  };
  const listener = {
    name,
    protocol: wanted.protocol,
    protocol_port: number(wanted.protocol_port),
    ...(wanted.protocol === "TERMINATED_HTTPS" ? certificates(wanted) : {}),
    ...(wanted.protocol === "PROMETHEUS" ? {} : { default_pool: pool }),
  };
  const vip = { vip_subnet_id: wanted.vip_subnet_id || null, ...(wanted.vip_address.trim() ? { vip_address: wanted.vip_address.trim() } : {}) };
  const more = wanted.additional_vips.length ? { additional_vips: wanted.additional_vips.map((subnet_id) => ({ subnet_id })) } : {};
  const { flavor_id, availability_zone, vip_qos_policy_id } = wanted;
  return { name, ...vip, ...more, ...said({ flavor_id, availability_zone, vip_qos_policy_id }), listeners: [listener] };
}

function certificates(wanted: Wanted): Thing {
  const { default_tls_container_ref, sni_container_refs } = wanted;
  return { default_tls_container_ref: default_tls_container_ref.trim(), ...(sni_container_refs.length ? { sni_container_refs } : {}) };
}

export function BalancePage(): JSX.Element {
  const resource = RESOURCES.loadbalancers;
  const [wanted, setWanted] = useState<Wanted>(START);
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  const back = [resource.kind];
  useKeys([{ key: "Escape", does: "back", run: () => go(back) }]);
  const names = Object.keys(START).map((name) => ({ name }));
  const named = refusal && blamed(refusal.message, [...names, { name: "address" }, { name: "weight" }]);
  const wrong = named === "address" || named === "weight" ? "members" : named;

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setRefusal(undefined);
    try {
      const made = await api.post(resource.path, { [resource.member]: balancer(wanted) });
      go([resource.kind, made[resource.member].id]);
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)));
      setBusy(false);
    }
  };
  const isTerminated = wanted.protocol === "TERMINATED_HTTPS";
  const field = (name: keyof Wanted, label: string, as: As, more: Record<string, unknown> = {}): JSX.Element => (
    <Field
      field={{ name, ...more }}
      as={as}
      label={label}
      value={wanted[name]}
      problem={wrong === name ? refusal!.message : undefined}
      set={(value) => setWanted((now) => ({ ...now, [name]: value }))}
    />
  );
  return (
    <section class="narrow">
      <header class="head">
        <h1>Create a load balancer</h1>
      </header>
      <form onSubmit={submit} noValidate>
        {refusal && !wrong && <Refused by={refusal} />}
        <fieldset>
          <legend>Where clients come</legend>
          {field("name", "Name", "text")}
          {field("vip_subnet_id", "Subnet of the VIP", "ref", { of: "subnets" })}
          {field("vip_address", "Address", "text", { help: "Empty: any that is free" })}
          {field("additional_vips", "Further VIPs in the subnets", "refs", { of: "subnets", help: "Of the same network: such as one of IPv6" })}
          {field("protocol", "Protocol", "choice", { choices: choicesOf("listeners", "protocol") })}
          {field("protocol_port", "Port", "number")}
          {isTerminated && field("default_tls_container_ref", "Certificate", "ref", { held: "certificate", help: "Stored on the page Certificates, or with openstack secret store" })}
          {isTerminated && field("sni_container_refs", "Certificates of other names (SNI)", "refs", { held: "certificate" })}
        </fieldset>
        {wanted.protocol !== "PROMETHEUS" && (
          <fieldset>
            <legend>Where they are led</legend>
            {field("lb_algorithm", "Algorithm", "choice", { choices: choicesOf("pools", "lb_algorithm") })}
            {field("members", "Members", "lines", { help: "ADDRESS:PORT, one a line; a weight may stand behind" })}
            {field("type", "Health monitor", "choice", { choices: ["", ...choicesOf("healthmonitors", "type")], help: "Each 5 s, answered within 3 s; that is changed at the monitor's page" })}
          </fieldset>
        )}
        <fieldset>
          <legend>What it is made of</legend>
          {field("flavor_id", "Flavor", "ref", { of: "lb_flavors", asking: { enabled: "true" }, help: "None: as the server's settings say" })}
          {field("availability_zone", "Availability zone", "ref", { of: "lb_zones", asking: { enabled: "true" } })}
          {field("vip_qos_policy_id", "QoS policy of the VIP", "ref", { of: "policies" })}
        </fieldset>
        <footer>
          <a class="button" href={href(back)}>
            Cancel
          </a>
          <button class="main" disabled={busy}>
            Make the load balancer
          </button>
        </footer>
      </form>
    </section>
  );
}
