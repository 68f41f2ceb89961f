// What is typed into a list's filter: `status:ACTIVE name:"my net" rest`.  Pairs are asked of the API, the rest is looked
// for in what is shown.

const OWN = new Set(["find", "marker", "page_reverse", "sort_key", "sort_dir", "limit"]);
const PAIR = /([a-z][a-z0-9_:-]*):("([^"]*)"|\S+)/gi;

export function written(query: URLSearchParams): string {
  const pairs = [...query].filter(([name]) => !OWN.has(name)).map(([name, value]) => `${name}:${/\s/.test(value) ? `"${value}"` : value}`);
  return [...pairs, query.get("find") ?? ""].filter(Boolean).join(" ");
}

// known: attributes that the API filters by; other pairs are text like the rest
export function read(text: string, known: (name: string) => boolean, before: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ["sort_key", "sort_dir"]) for (const value of before.getAll(name)) query.append(name, value);
  const rest = text.replace(PAIR, (whole, name: string, value: string, quoted: string | undefined) => {
    // `router:external:true`, `binding:host_id:x`: the attribute's name may have a colon
    const all = `${name}:${quoted ?? value}`;
    for (let at = all.lastIndexOf(":"); at > 0; at = all.lastIndexOf(":", at - 1))
      if (known(all.slice(0, at))) {
        query.append(all.slice(0, at), all.slice(at + 1));
        return "";
      }
    return whole;
  });
  const find = rest.trim().replace(/\s+/g, " ");
  if (find) query.set("find", find);
  return query;
}

// sorted: by what, where nothing is said
export function asked(query: URLSearchParams, limit: number, sorted: string | undefined): [string, string][] {
  const said = [...query].filter(([name]) => name !== "find");
  const order: [string, string][] = sorted && !query.has("sort_key") ? [["sort_key", sorted]] : [];
  return [...said, ...order, ["limit", String(limit)]];
}
