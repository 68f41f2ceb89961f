// Who is logged in, and in which project.
import { computed, signal } from "@preact/signals";
import { Refusal, request, unauthorized } from "./api";

export interface Named {
  id: string;
  name: string;
}

export interface Session {
  user: Named;
  project: Named | null;
  roles: string[];
  expires_at: string;
  projects: Named[];
  keystone: string; // where users are made; empty: here
}

// undefined: not known yet; null: nobody
export const session = signal<Session | null | undefined>(undefined);
export const isAdmin = computed(() => session.value?.roles.includes("admin") ?? false);
export const mayChange = computed(() => session.value?.roles.includes("member") ?? false);

export type Role = "admin" | "manager";

export const may = (needs?: Role): boolean => !needs || isAdmin.value || (session.value?.roles.includes(needs) ?? false);

const URL_ = "session";

export async function look(): Promise<void> {
  try {
    session.value = await request("GET", URL_);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) session.value = null;
    else if (session.value === undefined) throw error;
  }
}

export async function logIn(login: { user: string; password: string; domain: string; project: string }): Promise<void> {
  session.value = await request("POST", URL_, login);
}

// where that is refused, one stays where one is
export async function changeProject(id: string): Promise<void> {
  try {
    session.value = await request("PUT", URL_, { project_id: id });
  } catch {
    await look();
  }
}

export async function logOut(): Promise<void> {
  await request("DELETE", URL_);
  session.value = null;
}

let looking = false;
unauthorized.tell = () => {
  if (looking) return;
  looking = true;
  void look().finally(() => {
    looking = false;
  });
};
