// What stands around every page: the menu, the project, the keys.
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useErrorBoundary, useLayoutEffect, useRef } from "preact/hooks";
import { connected } from "./live";
import { keys, useKeys } from "./keys";
import { GROUPS, PAGES } from "./pages/all";
import { EditPage, NewPage } from "./pages/form";
import { ListPage } from "./pages/list";
import { ObjectPage } from "./pages/object";
import { LIST, RESOURCES } from "./resources/all";
import { href, place } from "./route";
import { changeProject, isAdmin, logOut, may, mayChange, session } from "./session";
import { Confirm } from "./ui/confirm";
import { theme } from "./theme";

const helping = signal(false);
const menuOpen = signal(false); // in a narrow window, where it would stand before every page

export function Shell(): JSX.Element {
  useKeys([
    { key: "?", does: "these keys", run: () => (helping.value = true) },
    { key: "m", does: "to the menu", run: toMenu },
  ]);
  useFocusOnPage(place.value.path.join("/"));
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <Top />
      <Menu />
      <main id="main" tabIndex={-1} data-place={place.value.at}>
        <Guarded key={`${place.value.path.join("/")} ${session.value?.project?.id}`} />
      </main>
      <Confirm />
      {helping.value && <Help />}
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  toContent();
}

function toContent(): void {
  document.getElementById("main")?.focus({ preventScroll: true });
}

function toMenu(): void {
  menuOpen.value = true;
  // once it is shown
  setTimeout(() => (document.querySelector<HTMLElement>("#menu [aria-current]") ?? document.querySelector<HTMLElement>("#menu a"))?.focus());
}

// the next Tab after a page was opened is in that page, not behind its link in the menu
function useFocusOnPage(path: string): void {
  const shown = useRef(path);
  useLayoutEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    if (!document.getElementById("main")?.contains(document.activeElement)) toContent();
  }, [path]);
}

// a fault of one page leaves the menu where it is
function Guarded(): JSX.Element {
  const [fault, again] = useErrorBoundary();
  const title = titleOf();
  useEffect(() => {
    document.title = `${title} · Netweft`;
  }, [title]);
  if (!fault) return <Where />;
  return (
    <section>
      <h1>This page cannot be shown</h1>
      <p>{String(fault)}</p>
      <button type="button" onClick={again}>
        Try again
      </button>
    </section>
  );
}

function titleOf(): string {
  const [first] = place.value.path;
  return PAGES.find((page) => page.path === first)?.title ?? RESOURCES[first]?.title ?? "Overview";
}

function Where(): JSX.Element {
  const [first = "overview", second, third] = place.value.path;
  const page = PAGES.find((one) => one.path === first);
  if (page) return <page.show />;
  const resource = RESOURCES[first];
  if (!resource) return <h1>There is no such page</h1>;
  if (!second) return <ListPage resource={resource} />;
  if (second === "new") return resource.newPage ? <resource.newPage /> : <NewPage resource={resource} />;
  return third === "edit" ? <EditPage resource={resource} id={second} /> : <ObjectPage resource={resource} id={second} />;
}

function Top(): JSX.Element {
  const who = session.value!;
  return (
    <header class="top">
      <button type="button" class="plain opens-menu" aria-expanded={menuOpen.value} aria-controls="menu" onClick={() => (menuOpen.value = !menuOpen.value)}>
        Menu
      </button>
      <a class="name" href="#/overview">
        Netweft
      </a>
      <label>
        <span class="hidden">Project</span>
        <select value={who.project?.id ?? ""} onChange={(event) => void changeProject(event.currentTarget.value)}>
          {!who.project && <option value="">no project</option>}
          {who.projects.map((project) => (
            <option key={project.id} value={project.id}>
              {project.name}
            </option>
          ))}
        </select>
      </label>
      <span class={`state ${connected.value ? "good" : "idle"}`} title="Whether changes are told as they happen">
        {connected.value ? "live" : "not live"}
      </span>
      <span class="grow" />
      <button type="button" class="plain" onClick={() => (helping.value = true)}>
        Keys <kbd>?</kbd>
      </button>
      <button type="button" class="plain" onClick={theme.next}>
        {theme.word.value}
      </button>
      <span>
        {who.user.name}
        {isAdmin.value && <span class="note">admin</span>}
        {!mayChange.value && <span class="note">read only</span>}
      </span>
      <button type="button" onClick={() => void logOut()}>
        Log out
      </button>
    </header>
  );
}

function Menu(): JSX.Element {
  const [here = "overview"] = place.value.path;
  const entries = [
    ...PAGES.filter((page) => (isAdmin.value || !page.admin) && (mayChange.value || !page.changes)),
    ...LIST.filter((one) => may(one.needs.get)).map((one) => ({ path: one.kind, title: one.title, group: one.group || "hidden" })),
  ];
  return (
    <nav id="menu" class={`menu ${menuOpen.value ? "open" : ""}`} aria-label="Menu" onClick={closeMenu}>
      {GROUPS.map((group) => {
        const those = entries.filter((one) => one.group === group);
        if (!those.length) return null;
        return (
          <div key={group}>
            {group && <h2>{group}</h2>}
            <ul>
              {those.map((one) => (
                <li key={one.path}>
                  <a href={href([one.path])} aria-current={one.path === here ? "page" : undefined}>
                    {one.title}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

function closeMenu(event: Event): void {
  if ((event.target as Element).closest("a")) menuOpen.value = false;
}

function Help(): JSX.Element {
  const those = [...keys.value, { key: "Esc", does: "leave a field", run: () => {} }];
  return (
    <dialog
      ref={(dialog) => {
        if (dialog && !dialog.open) dialog.showModal();
      }}
      aria-labelledby="keys"
      onClose={() => (helping.value = false)}
    >
      <h2 id="keys">Keys</h2>
      <dl class="facts">
        {those.map((key) => (
          <>
            <dt>
              <kbd>{key.key}</kbd>
            </dt>
            <dd>{key.does}</dd>
          </>
        ))}
      </dl>
      <footer>
        <button type="button" onClick={() => (helping.value = false)}>
          Close
        </button>
      </footer>
    </dialog>
  );
}
