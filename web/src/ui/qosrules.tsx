// A QoS policy's rules.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { may, mayChange } from "../session";
import { Inline, asNumber } from "./inline";
import { Remove } from "./removable";

const MARKS = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56].map(String);

export function limits(rule: Thing): string {
  switch (rule.type) {
    case "bandwidth_limit":
      return `${rule.direction} at most ${rule.max_kbps} kbit/s${rule.max_burst_kbps ? `, burst ${rule.max_burst_kbps} kbit` : ""}`;
    case "packet_rate_limit":
      return `${rule.direction} at most ${rule.max_kpps} kpacket/s`;
    case "minimum_bandwidth":
      return `${rule.direction} at least ${rule.min_kbps} kbit/s`;
    case "dscp_marking":
      return `DSCP ${rule.dscp_mark}`;
    default:
      return rule.type;
  }
}

export function QosRules({ policy }: { policy: Thing }): JSX.Element {
  const of = (type: string): string => `qos/policies/${part(policy.id)}/${type}_rules`;
  const rules: Thing[] = policy.rules ?? [];
  const changes = mayChange.value && may("manager");
  const add = (values: Thing): Promise<unknown> => {
    const type: string = values.type;
    const amount = asNumber(values.amount);
    const rule =
      type === "dscp_marking"
        ? { dscp_mark: Number(values.dscp_mark) }
        : {
            direction: values.direction,
            ...(type === "bandwidth_limit" ? { max_kbps: amount, ...(values.burst ? { max_burst_kbps: asNumber(values.burst) } : {}) } : type === "packet_rate_limit" ? { max_kpps: amount } : { min_kbps: amount }),
          };
    return api.post(of(type), { [`${type}_rule`]: rule });
  };
  return (
    <section class="part">
      <header class="head">
        <h2>
          Rules <span class="count">{rules.length}</span>
        </h2>
      </header>
      <ul class="plainlist">
        {rules.map((rule) => (
          <li key={rule.id}>
            <code>{limits(rule)}</code> {changes && <Remove what={limits(rule)} run={() => api.delete(`${of(rule.type)}/${part(rule.id)}`)} />}
          </li>
        ))}
      </ul>
      {changes && (
        <Inline
          title="Add a rule"
          fields={[
            { name: "type", label: "Rule", as: "choice", choices: ["bandwidth_limit", "packet_rate_limit", "minimum_bandwidth", "dscp_marking"], start: "bandwidth_limit" },
            { name: "direction", label: "Direction", as: "choice", choices: ["egress", "ingress"], start: "egress", when: (values) => values.type !== "dscp_marking" },
            { name: "amount", label: "kbit/s or kpacket/s", as: "number", when: (values) => values.type !== "dscp_marking" },
            { name: "burst", label: "Burst, kbit", as: "number", when: (values) => values.type === "bandwidth_limit" },
            { name: "dscp_mark", label: "DSCP", as: "choice", choices: MARKS, start: "0", when: (values) => values.type === "dscp_marking" },
          ]}
          save={add}
        />
      )}
    </section>
  );
}
