// QoS policies and RBAC.
import { Id, Mono, Ref, Yes } from "../ui/cells";
import { QosRules, limits } from "../ui/qosrules";
import { DESCRIPTION, NAME, PROJECT, projectColumn } from "./standard";
import type { Declared } from "./types";

// RBAC's object types -> the kinds of what they share
export const SHARED_KINDS: Record<string, string> = {
  network: "networks",
  qos_policy: "policies",
  security_group: "security_groups",
  address_group: "address_groups",
  address_scope: "address_scopes",
  subnetpool: "subnetpools",
};

export const SHARING: Declared[] = [
  {
    kind: "policies",
    title: "QoS policies",
    one: "QoS policy",
    group: "Project",
    columns: [
      NAME,
      { name: "rules", title: "Rules", cell: (one) => <Mono>{(one.rules ?? []).map(limits).join("; ")}</Mono> },
      { name: "is_default", title: "Default", cell: (one) => <Yes is={one.is_default} /> },
      { name: "shared", title: "Shared", cell: (one) => <Yes is={one.shared} /> },
      projectColumn,
    ],
    filters: ["name", "shared", "is_default"],
    hide: ["rules"],
    fields: [{ name: "name" }, DESCRIPTION, { name: "is_default", label: "Default of new networks" }, { name: "shared", label: "Shared with all projects" }, PROJECT],
    parts: (one) => <QosRules policy={one} />,
  },
  {
    kind: "rbac_policies",
    title: "Sharing (RBAC)",
    one: "RBAC policy",
    group: "Project",
    name: "id",
    columns: [
      { name: "id", title: "ID", cell: (one) => <Id id={one.id} /> },
      { name: "object_type", title: "Shares a", cell: (one) => <Mono>{one.object_type}</Mono> },
      { name: "object_id", title: "Object", cell: (one) => (SHARED_KINDS[one.object_type] ? <Ref kind={SHARED_KINDS[one.object_type]} id={one.object_id} /> : <Id id={one.object_id} />) },
      { name: "action", title: "As", cell: (one) => <Mono>{one.action}</Mono> },
      { name: "target_tenant", title: "With", cell: (one) => (one.target_tenant === "*" ? "everybody" : <Ref kind="projects" id={one.target_tenant} />) },
      projectColumn,
    ],
    filters: ["object_type", "action"],
    fields: [
      { name: "object_type", label: "What", as: "choice", choices: Object.keys(SHARED_KINDS), initial: (query) => query.get("object_type") ?? "network" },
      { name: "object_id", label: "Its ID", initial: (query) => query.get("object_id") ?? "" },
      { name: "action", label: "As", as: "choice", choices: ["access_as_shared", "access_as_external"], initial: () => "access_as_shared" },
      { name: "target_tenant", label: "With project", help: "A project's ID, or * for everybody" },
      PROJECT,
    ],
  },
];
