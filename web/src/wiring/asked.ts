// How a port is wired, asked of its node again and again while somebody looks.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal, type Thing, api, isAborted, part } from "../api";
import { listen } from "../live";

const EACH_MS = 2000;
const HIDDEN_MS = 500; // looked at again whether somebody looks

export interface Asked {
  told?: Thing;
  refusal?: Refusal;
  rates: ReadonlyMap<string, Rate>; // by interface
}

export interface Rate {
  rx: number; // packets a second
  tx: number;
}

const NONE: ReadonlyMap<string, Rate> = new Map();

export function stationsOf(node: Thing | undefined): Thing[] {
  return node ? [node.vif, ...node.link, ...node.out, ...node.uplinks] : [];
}

// packets a second between two looks; what was counted anew is nothing to say
export function ratesOf(before: Thing[], now: Thing[], seconds: number): Map<string, Rate> {
  const known = new Map(before.map((one) => [one.name, one.counts]));
  const rates = new Map<string, Rate>();
  for (const { name, counts } of now) {
    const was = known.get(name);
    if (!was || seconds <= 0 || counts.rx_packets < was.rx_packets || counts.tx_packets < was.tx_packets) continue;
    rates.set(name, { rx: (counts.rx_packets - was.rx_packets) / seconds, tx: (counts.tx_packets - was.tx_packets) / seconds });
  }
  return rates;
}

// the node's interfaces; to whom those are not told, the port's alone
function counted(told: Thing | undefined): Thing[] {
  if (told?.node) return stationsOf(told.node);
  return told?.interface?.counts ? [{ name: "", counts: told.interface.counts }] : [];
}

export function useWiring(port: string | undefined): Asked {
  const [state, setState] = useState<Asked & { port?: string }>({ rates: NONE });
  const last = useRef<{ stations: Thing[]; at: number; rates: ReadonlyMap<string, Rate> }>({ stations: [], at: 0, rates: NONE });
  useEffect(() => {
    if (!port) return;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    last.current = { stations: [], at: 0, rates: NONE };
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.hidden) {
        timer = setTimeout(look, HIDDEN_MS);
        return;
      }
      try {
        const told = (await api.get(`netweft/wiring/${part(port)}`, gone.signal)).wiring;
        setState({ port, told, rates: rate(told) });
      } catch (error) {
        if (isAborted(error) || gone.signal.aborted) return;
        setState({ port, refusal: error instanceof Refusal ? error : new Refusal(0, "Fault", String(error)), rates: NONE });
      }
      if (!gone.signal.aborted) timer = setTimeout(look, EACH_MS);
    };
    // Open vSwitch counts each some seconds: between, what was last seen holds
    const rate = (told: Thing): ReadonlyMap<string, Rate> => {
      const stations = counted(told);
      const before = last.current;
      const at = performance.now();
      const changed = JSON.stringify(stations) !== JSON.stringify(before.stations);
      if (changed || at - before.at > 12_000) last.current = { stations, at, rates: ratesOf(before.stations, stations, (at - before.at) / 1000) };
      return last.current.rates;
    };
    void look();
    const stop = listen(["ports"], (ids) => {
      if (!ids || ids.has(port)) void look();
    });
    return () => {
      gone.abort();
      clearTimeout(timer);
      stop();
    };
  }, [port]);
  return state.port === port ? state : { rates: NONE };
}
