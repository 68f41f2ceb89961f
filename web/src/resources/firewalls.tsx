// Firewalls (FWaaS v2): groups of ports, policies, rules.
import { Ref, Refs, Yes } from "../ui/cells";
import { FirewallPorts, FirewallRuleText, GroupPolicies, PolicyRules, RuleHits } from "../ui/firewall";
import { Members } from "../ui/members";
import { RULE_FIELDS } from "./firewallrules";
import { DESCRIPTION, NAME, PROJECT, STATE, UP, projectColumn } from "./standard";
import type { Column, Declared, Field } from "./types";

const POLICY = "firewall_policies";
const SHARED: Field = { name: "shared", label: "Shared with all projects" };
const shared: Column = { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> };
const policy = (way: string, title: string): Column => ({ name: `${way}_firewall_policy_id`, title, cell: (one) => <Ref kind={POLICY} id={one[`${way}_firewall_policy_id`]} /> });
const IN = policy("ingress", "Lets in by");
const OUT = policy("egress", "Lets out by");
const asksFor = (title: string): string => `${title}: policy`;

export const FIREWALLS: Declared[] = [
  {
    kind: "firewall_groups",
    title: "Firewall groups",
    one: "firewall group",
    group: "Firewalls",
    columns: [NAME, STATE, IN, OUT, { name: "ports", title: "Ports", cell: (one) => <code>{one.ports.length}</code> }, shared, projectColumn],
    filters: ["name", "status"],
    also: [POLICY, "firewall_rules"],
    settles: (one) => String(one.status).startsWith("PENDING_"),
    refs: { ingress_firewall_policy_id: POLICY, egress_firewall_policy_id: POLICY },
    hide: ["ports"],
    fields: [
      { name: "name" },
      { name: IN.name, label: asksFor(IN.title), as: "ref", of: POLICY, help: "None: nothing comes in but answers" },
      { name: OUT.name, label: asksFor(OUT.title), as: "ref", of: POLICY, help: "None: nothing goes out but answers" },
      { name: "ports", label: "Ports", as: "refs", of: "ports", help: "Of VMs, and interfaces of routers" },
      UP,
      SHARED,
      DESCRIPTION,
      PROJECT,
    ],
    parts: (one) => (
      <>
        <GroupPolicies group={one} />
        <FirewallPorts group={one} />
      </>
    ),
  },
  {
    kind: POLICY,
    title: "Firewall policies",
    one: "firewall policy",
    group: "Firewalls",
    columns: [
      NAME,
      { name: "firewall_rules", title: "Rules", cell: (one) => <code>{one.firewall_rules.length}</code> },
      { name: "audited", title: "Audited", cell: (one) => <Yes is={one.audited} /> },
      shared,
      { name: "description", title: "Description" },
      projectColumn,
    ],
    filters: ["name", "audited", "shared"],
    hide: ["firewall_rules"],
    fields: [{ name: "name" }, { name: "audited", label: "Audited: somebody has looked at it as it is" }, SHARED, DESCRIPTION, PROJECT],
    parts: (one) => (
      <>
        <PolicyRules policy={one} />
        <Members kind="firewall_groups" by={IN.name} id={one.id} title="Groups that let in by it" />
        <Members kind="firewall_groups" by={OUT.name} id={one.id} title="Groups that let out by it" />
      </>
    ),
  },
  {
    kind: "firewall_rules",
    title: "Firewall rules",
    one: "firewall rule",
    group: "Firewalls",
    columns: [
      NAME,
      { name: "action", title: "Rule", cell: (one) => <FirewallRuleText rule={one} />, text: (one) => [one.action, one.protocol, one.source_ip_address, one.destination_ip_address, one.source_port, one.destination_port].join(" ") },
      { name: "firewall_policy_id", title: "In policies", cell: (one) => <Refs kind={POLICY} ids={one.firewall_policy_id ?? []} /> },
      shared,
      { name: "description", title: "Description" },
      projectColumn,
    ],
    filters: ["name", "action", "protocol", "enabled"],
    refs: { firewall_policy_id: POLICY, "netweft:source_address_group_id": "address_groups", "netweft:destination_address_group_id": "address_groups" },
    hide: ["position"],
    also: [POLICY],
    preview: (values) => <FirewallRuleText rule={values} />,
    fields: [...RULE_FIELDS.map(({ start, ...field }) => (start ? { ...field, initial: () => start } : field)), { name: "enabled", label: "Asked: else it is left out" }, SHARED, DESCRIPTION, PROJECT],
    parts: (one) => <RuleHits rule={one} />,
  },
];
