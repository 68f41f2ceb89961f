// A security group's rules as sentences.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { sentence } from "../resources/sentence";
import { href } from "../route";
import { mayChange } from "../session";
import { Ref } from "./cells";
import { Remove } from "./removable";

export function RuleText({ rule }: { rule: Thing }): JSX.Element {
  const { verb, what, way, who } = sentence(rule);
  return (
    <span class="rule">
      {verb} <strong>{what}</strong> {way} {"text" in who ? <span>{who.text}</span> : <Ref kind={who.kind} id={who.id} />}
    </span>
  );
}

export function Rules({ group }: { group: Thing }): JSX.Element {
  const rules: Thing[] = group.security_group_rules ?? [];
  return (
    <section class="part">
      <header class="head">
        <h2>
          Rules <span class="count">{rules.length}</span>
        </h2>
        {mayChange.value && (
          <a class="button" href={href(["security_group_rules", "new"], [["security_group_id", group.id]])}>
            Add a rule
          </a>
        )}
      </header>
      {["ingress", "egress"].map((direction) => (
        <ul key={direction} class="plainlist" aria-label={direction}>
          {rules
            .filter((rule) => rule.direction === direction)
            .map((rule) => (
              <li key={rule.id}>
                <RuleText rule={rule} /> {rule.description && <span class="dim">{rule.description}</span>}{" "}
                <Remove what={`rule ${rule.id}`} run={() => api.delete(`security-group-rules/${part(rule.id)}`)} />
              </li>
            ))}
        </ul>
      ))}
      <p class="dim">
        {group.stateful === false ? "Stateless: answers need rules of their own." : "Answers to what is let through are let through."} What no rule lets in or out is dropped.
      </p>
    </section>
  );
}
