// One port's way from its VM to the wire: a box for each bridge, a line for each interface, with what it has carried.
import type { ComponentChildren, JSX } from "preact";
import type { Thing } from "../api";
import { href } from "../route";
import { serverIdOf } from "../servers";
import { Ref, State, short } from "../ui/cells";
import { Refused } from "../ui/notice";
import { UsedBy } from "../ui/server";
import type { Asked, Rate } from "./asked";
import "./wiring.css";

interface Props {
  port: Thing;
  network: Thing | undefined;
  asked: Asked;
}

export function Leg({ port, network, asked }: Props): JSX.Element {
  const { told, refusal } = asked;
  const node = told?.node;
  return (
    <div class="leg">
      <Box title={port.name || short(port.id)} to={["ports", port.id]} state={port.status}>
        {port.fixed_ips.map((ip: Thing) => (
          <code key={ip.ip_address}>{ip.ip_address}</code>
        ))}
        <code>{port.mac_address}</code>
        {serverIdOf(port) && <UsedBy port={port} />}
      </Box>
      <Refused by={refusal} />
      {!told && !refusal && <p class="dim joint">asking its node…</p>}
      {told && !told.wired && <Unwired told={told} />}
      {node && <OnNode node={node} told={told!} rates={asked.rates} />}
      {told && told.wired && !node && <Somewhere told={told} rate={asked.rates.get("")} />}
      {told && !node && (
        <Box title={network?.name || "its network"} to={network && ["networks", network.id]} state={network?.status}>
          {network?.["provider:network_type"] && <Segment of={network} />}
        </Box>
      )}
    </div>
  );
}

const Segment = ({ of }: { of: Thing }): JSX.Element => (
  <span>{[of["provider:network_type"], of["provider:physical_network"], of["provider:segmentation_id"]].filter((part) => part !== null && part !== undefined).join(" ")}</span>
);

function Unwired({ told }: { told: Thing }): JSX.Element {
  return (
    <div class="joint cut">
      <span class="state bad">not wired</span> <span class="note">{told.why_not ?? "its hypervisor does not say more"}</span>
    </div>
  );
}

// what a tenant is told
function Somewhere({ told, rate }: { told: Thing; rate: Rate | undefined }): JSX.Element {
  const { link, mtu, counts } = told.interface;
  return (
    <>
      <div class="joint">
        <Link of={link} />
        {mtu > 0 && <span class="note">MTU {mtu}</span>}
        {counts && <Counts of={counts} rate={rate} rx="from the VM" tx="to the VM" />}
      </div>
      <Box title="a hypervisor" state="ACTIVE" word="wired" />
      <div class="joint" />
    </>
  );
}

function OnNode({ node, told, rates }: { node: Thing; told: Thing; rates: Asked["rates"] }): JSX.Element {
  const key = node.network_type === "vlan" ? `VLAN ${node.key}` : node.network_type === "flat" ? "untagged" : `VNI ${node.key}`;
  const [near, far] = node.link;
  return (
    <>
      <Joint station={node.vif} rates={rates} rx="from the VM" tx="to the VM">
        {node.sub_tag > 0 && <span class="note">as VLAN {node.sub_tag} of a trunk</span>}
      </Joint>
      <Box title={node.vif.bridge} of={told.host}>
        <span>
          local VLAN tag <code class="tagged">{node.tag}</code>
        </span>
        <span class="dim">
          OpenFlow port <code>{node.vif.ofport}</code>
        </span>
      </Box>
      {!near && (
        <p class="joint cut dim">{node.network_type === "local" ? "a local network: it does not leave this node" : "nothing joins it to the next bridge yet"}</p>
      )}
      {near && (
        <>
          <Joint station={near} title={`${near.name} ══ ${far.name}`} rates={rates} rx="in" tx="out" />
          <Box title={far.bridge} of={told.host}>
            <span>
              VLAN tag <code class="tagged">{node.tag}</code> ⇄ <code class="tagged">{key}</code>
            </span>
            {node.tunnel_ip && (
              <span>
                {node.network_type} from <code>{node.tunnel_ip}</code>
              </span>
            )}
            {node.physical_network && <span>physical network {node.physical_network}</span>}
          </Box>
          {node.out.map((station: Thing) => (
            <Joint key={station.name} station={station} rates={rates} rx="in" tx="out" />
          ))}
          {node.uplinks.map((station: Thing) => (
            <Joint key={station.name} station={station} title={`${station.bridge} + ${station.name}`} rates={rates} rx="in" tx="out" />
          ))}
        </>
      )}
    </>
  );
}

interface BoxProps {
  title: string;
  of?: string;
  to?: [string, string];
  state?: string;
  word?: string;
  children?: ComponentChildren;
}

function Box({ title, of, to, state, word, children }: BoxProps): JSX.Element {
  return (
    <div class="station">
      <header>
        <strong>{to ? <a href={href(to)}>{title}</a> : title}</strong>
        {of && <span class="note">on {of}</span>}
        {state && (word ? <span class="state good">{word}</span> : <State word={state} />)}
      </header>
      {children}
    </div>
  );
}

interface JointProps {
  station: Thing;
  title?: string;
  rates: Asked["rates"];
  rx: string;
  tx: string;
  children?: ComponentChildren;
}

function Joint({ station, title, rates, rx, tx, children }: JointProps): JSX.Element {
  return (
    <div class={`joint${station.link === "down" ? " cut" : ""}`}>
      <code>{title ?? station.name}</code> <Link of={station.link} />
      {station.mtu > 0 && <span class="note">MTU {station.mtu}</span>}
      {children}
      <Counts of={station.counts} rate={rates.get(station.name)} rx={rx} tx={tx} />
    </div>
  );
}

const Link = ({ of }: { of: string }): JSX.Element | null => (of ? <span class={`state ${of === "up" ? "good" : "bad"}`}>link {of}</span> : null);

function Counts({ of, rate, rx, tx }: { of: Thing; rate?: Rate; rx: string; tx: string }): JSX.Element {
  return (
    <dl class="counts">
      <Way name={rx} packets={of.rx_packets} bytes={of.rx_bytes} lost={of.rx_dropped + of.rx_errors} each={rate?.rx} />
      <Way name={tx} packets={of.tx_packets} bytes={of.tx_bytes} lost={of.tx_dropped + of.tx_errors} each={rate?.tx} />
    </dl>
  );
}

function Way({ name, packets, bytes, lost, each }: { name: string; packets: number; bytes: number; lost: number; each?: number }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{packets.toLocaleString("en")} packets</dd>
      <dd>{sized(bytes)}</dd>
      <dd class={each ? "moves" : "dim"}>{each === undefined ? "" : `${each > 0 && each < 10 ? each.toFixed(1) : Math.round(each).toLocaleString("en")}/s`}</dd>
      <dd>{lost > 0 && <span class="state bad">{lost.toLocaleString("en")} lost</span>}</dd>
    </div>
  );
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function sized(bytes: number): string {
  let at = 0;
  let left = bytes;
  while (left >= 1000 && at < UNITS.length - 1) {
    left /= 1000;
    at += 1;
  }
  return `${at && left < 100 ? left.toFixed(1) : Math.round(left)} ${UNITS[at]}`;
}

export function Wire({ left, right }: { left: Thing | undefined; right: Thing | undefined }): JSX.Element | null {
  const node = left?.node ?? right?.node;
  if (!node || node.network_type === "local") return null;
  const words =
    node.network_type === "vlan"
      ? `${node.physical_network}, VLAN ${node.key}`
      : node.network_type === "flat"
        ? `${node.physical_network}, untagged`
        : `${node.network_type}, VNI ${node.key}${[left, right].every((one) => one?.node) ? `, ${left!.node.tunnel_ip} ⇄ ${right!.node.tunnel_ip}` : ""}`;
  const inside = left?.host && left.host === right?.host;
  return <p class="wire">{inside ? `both are on ${left!.host}: frames stay in ${node.vif.bridge}` : `the wire: ${words}`}</p>;
}

export function FarSides({ node }: { node: Thing }): JSX.Element | null {
  if (!node.far.length) return null;
  return (
    <section class="part">
      <h2>
        Tunnels of this network from here <span class="count">{node.far.length}</span>
      </h2>
      <ul class="plainlist">
        {node.far.map((one: Thing) => (
          <li key={one.host}>
            {one.host} <code>{one.address || "no tunnel address"}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

export const NetworkOf = ({ id }: { id: string }): JSX.Element => <Ref kind="networks" id={id} />;
