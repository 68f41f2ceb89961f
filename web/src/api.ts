// The Networking API, as any client speaks it; the session's cookie stands for the token (decision 0523).

export type Thing = Record<string, any>;

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

const HEADERS = { "X-Netweft-Dashboard": "1" };
const API = "api/v2.0/";
export const IDENTITY = "/identity/v3/"; // a path from the API's root

// set by session.ts: the session may be over, or another tab may have changed it
export const unauthorized: { tell: () => void } = { tell: () => {} };

export async function request(method: string, url: string, body?: unknown, signal?: AbortSignal, more: Record<string, string> = {}): Promise<any> {
  const headers: Record<string, string> = { ...HEADERS, ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "Unreachable", "The server cannot be reached.");
  }
  const text = await answer.text();
  const said = parsed(text);
  if (answer.ok) return said;
  const fault = said?.NeutronError ?? said?.error ?? {};
  throw new Refusal(answer.status, fault.type ?? fault.title ?? "", fault.message ?? said?.faultstring ?? `The server answers ${answer.status}.`);
}

function parsed(text: string): any {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

// a load balancer cannot be changed while its last change is put in place, which takes two seconds at most: asked again
const SETTLED_MS = 5000;
const AGAIN_MS = 200;
const settles = (error: unknown): boolean => error instanceof Refusal && error.status === 409 && /immutable and cannot be|^Invalid state PENDING_/.test(error.message);

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal, more?: Record<string, string>): Promise<any> {
  const until = performance.now() + SETTLED_MS;
  for (;;)
    try {
      return await once(method, path, body, signal, more);
    } catch (error) {
      if (!settles(error) || performance.now() > until) throw error;
      await new Promise((go) => setTimeout(go, AGAIN_MS));
    }
}

async function once(method: string, path: string, body?: unknown, signal?: AbortSignal, more?: Record<string, string>): Promise<any> {
  try {
    return await request(method, path.startsWith("/") ? `api${path}` : API + path, body, signal, more);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) unauthorized.tell();
    throw error;
  }
}

export const api = {
  get: (path: string, signal?: AbortSignal): Promise<any> => ask("GET", path, undefined, signal),
  post: (path: string, body: unknown): Promise<any> => ask("POST", path, body),
  patch: (path: string, body: unknown): Promise<any> => ask("PATCH", path, body),
  put: (path: string, body?: unknown, more?: Record<string, string>): Promise<any> => ask("PUT", path, body, undefined, more),
  delete: (path: string): Promise<any> => ask("DELETE", path),
};

export function query(values: Iterable<[string, string]>): string {
  const text = new URLSearchParams([...values]).toString();
  return text && `?${text}`;
}

// an id of somebody's making as a part of a path
export const part = encodeURIComponent;

export const isAborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";
