// Every page that is no list and no object: a new one is a line here, and stands in the menu.
import type { JSX } from "preact";
import { ActivityPage } from "./activity";
import { BuildPage } from "./build";
import { CertificatesPage } from "./certificates";
import { FabricPage } from "./fabric";
import { OverviewPage } from "./overview";
import { PeoplePage } from "./people";
import { QuotasPage } from "./quotas";
import { TopologyPage } from "./topology";
import { TracePage } from "./trace";
import { WiringPage } from "./wiring";

export interface Page {
  path: string;
  title: string;
  group: string; // of the menu
  admin?: boolean;
  changes?: boolean; // only for who may change something
  show: () => JSX.Element;
}

export const GROUPS = ["", "Network", "Routing", "Load balancing", "Security", "Firewalls", "Project", "Region"];

export const PAGES: Page[] = [
  { path: "overview", title: "Overview", group: "", show: OverviewPage },
  { path: "topology", title: "Topology", group: "", show: TopologyPage },
  { path: "trace", title: "Trace", group: "", show: TracePage },
  { path: "wiring", title: "Wiring", group: "", show: WiringPage },
  { path: "build", title: "Build a network", group: "", changes: true, show: BuildPage },
  { path: "certificates", title: "Certificates", group: "Load balancing", show: CertificatesPage },
  { path: "activity", title: "Activity", group: "Project", show: ActivityPage },
  { path: "quotas", title: "Quotas", group: "Project", show: QuotasPage },
  { path: "people", title: "Users and projects", group: "Region", admin: true, show: PeoplePage },
  { path: "fabric", title: "Fabric", group: "Region", admin: true, show: FabricPage },
];
