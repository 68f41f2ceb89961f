// Where the page is: `#/networks/ID?tab=ports`.  Every view has such an address, and nothing of it reaches a server's log.
import { signal } from "@preact/signals";

export interface Place {
  at: string; // as it is in the address
  path: string[];
  query: URLSearchParams;
}

function read(): Place {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { at: location.hash, path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query ?? "") };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const place = signal<Place>(read());

addEventListener("hashchange", () => {
  place.value = read();
});

export function href(path: string[], query?: Iterable<[string, string]>): string {
  const asked = new URLSearchParams([...(query ?? [])]).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${asked && `?${asked}`}`;
}

export function go(path: string[], query?: Iterable<[string, string]>): void {
  location.hash = href(path, query);
}

// another address for the same view: the way back leads past it
export function goHere(query: URLSearchParams): void {
  history.replaceState(null, "", href(place.value.path, query));
  place.value = read();
}
