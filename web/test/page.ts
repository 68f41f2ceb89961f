// As much of a page as modules ask for when they are loaded.
const nothing = (): void => {};
const element = { addEventListener: nothing, setAttribute: nothing, removeAttribute: nothing, dataset: {} };
Object.assign(globalThis, {
  addEventListener: nothing,
  document: { ...element, documentElement: element, visibilityState: "visible" },
  location: { hash: "", href: "http://page.example/dashboard/", origin: "http://page.example" },
  localStorage: { getItem: () => null, setItem: nothing },
  matchMedia: () => ({ matches: false, addEventListener: nothing }),
});
