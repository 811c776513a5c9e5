/** The frame: navigation, heading, messages. Pages are drawn into it one at a time. */

import { isAbort } from "./kit/api.js";
import { fill, h } from "./kit/dom.js";
import { available, usd } from "./kit/format.js";
import { PAGES, pageAt, startFor } from "./pages.js";
import { address, go, link } from "./router.js";

const THEMES = [["", "System"], ["light", "Light"], ["dark", "Dark"]];
const NOTE_MS = 5000;

/** @param {{api: any, scopes: Set<string>, account: any}} session @param {() => void} signOut */
export function shell(session, signOut) {
  const banner = h("div", { class: "banner", role: "alert", hidden: true });
  const notes = h("div", { class: "notes", role: "status" });
  const purse = balance(session);
  const main = h("main", { id: "main", class: "content" });
  const side = sidebar(session, signOut, purse.element);
  const skip = h("button", { type: "button", class: "skip", onclick: () => main.querySelector("h1")?.focus() }, "Skip to the content");
  const whole = h("div", {}, skip, h("div", { class: "shell" }, side, main), notes);

  const fail = (error) => {
    if (isAbort(error)) return;
    const close = h("button", { type: "button", class: "plain slim", "aria-label": "Dismiss the message", onclick: () => (banner.hidden = true) }, "Dismiss");
    fill(banner, h("p", {}, error.message), close).hidden = false;
  };
  const notify = (text) => {
    const note = h("p", { class: "note" }, text);
    notes.append(note);
    setTimeout(() => note.remove(), NOTE_MS);
  };

  let leave = new AbortController();
  async function show() {
    leave.abort();
    leave = new AbortController();
    const at = address();
    at.path ||= startFor(session.scopes);
    const page = pageAt(at.path);
    const allowed = page && session.scopes.has(page.needs);
    banner.hidden = true;
    side.classList.remove("open");
    mark(side, page?.under ?? at.path);
    const heading = headingOf(page?.title ?? "No such page");
    const root = h("div", {});
    fill(main, banner, heading.element, root);
    document.title = `${page?.title ?? "No such page"} · Unitask`;
    if (!allowed) {
      return fill(root, h("p", {}, page ? `This page needs a key with the scope ${page.needs}.` : "There is nothing at this address."));
    }
    const context = { session, api: session.api, ...at, signal: leave.signal, heading, fail, notify, go, spent: purse.refresh };
    try {
      await (await page.load()).render(root, context);
    } catch (error) {
      fail(error);
    }
    return undefined;
  }

  const changed = () => show().then(() => main.querySelector("h1")?.focus({ preventScroll: true }));
  addEventListener("hashchange", changed);
  show();
  return { element: whole, close: () => (removeEventListener("hashchange", changed), leave.abort()) };
}

function headingOf(title) {
  const h1 = h("h1", { tabindex: "-1" }, title);
  const lead = h("p", { hidden: true });
  const actions = h("div", { class: "row" });
  return {
    element: h("div", { class: "heading" }, h("div", {}, h1, lead), actions),
    /** Replace the page's title. */
    title: (text) => fill(h1, text),
    /** Say a sentence below the title. */
    lead: (...text) => (fill(lead, ...text).hidden = false),
    /** Put buttons beside the title. */
    actions: (...nodes) => fill(actions, ...nodes),
  };
}

function sidebar(session, signOut, purse) {
  const open = h("button", { type: "button", class: "menu-button slim", "aria-expanded": "false" }, "Menu");
  const brand = h("a", { class: "brand", href: "#/" }, h("img", { src: "docs/icon.svg", alt: "", width: 28, height: 28 }), "Unitask");
  const groups = [...new Set(PAGES.map((page) => page.group).filter(Boolean))];
  const foot = h("div", { class: "foot" }, purse, themes(), h("div", { class: "row apart" }, h("a", { href: "docs" }, "API reference"), h("button", { type: "button", class: "plain slim", onclick: signOut }, "Sign out")));
  const side = h("header", { class: "side" }, h("div", { class: "side-top" }, brand, open), h("nav", { "aria-label": "Pages" }, ...groups.map((name) => group(name, session.scopes))), foot);
  open.addEventListener("click", () => open.setAttribute("aria-expanded", String(side.classList.toggle("open"))));
  return side;
}

function group(name, scopes) {
  const pages = PAGES.filter((page) => page.group === name && scopes.has(page.needs));
  if (!pages.length) return null;
  const entries = pages.map((page) => h("li", {}, h("a", { href: link(page.path), dataset: { path: page.path } }, page.title)));
  return h("div", {}, h("h2", {}, name), h("ul", {}, ...entries));
}

function mark(side, path) {
  for (const one of side.querySelectorAll("nav a")) {
    if (one.dataset.path === path) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  side.querySelector(".menu-button").setAttribute("aria-expanded", "false");
}

/** What the account has and has used. */
function balance(session) {
  if (!session.account) return { element: null, refresh() {} };
  const element = h("div", { class: "balance" });
  const show = ({ name, credit_pack_info: { available_credits: points, used_credits: used } }) =>
    fill(element, h("span", { class: "quiet small" }, name), h("b", {}, available(points)), h("span", { class: "quiet small" }, `${points < 0 ? "" : "available, "}${usd(used)} used`));
  show(session.account);
  const refresh = () => session.api.get("/account/info").then(show, () => {});
  return { element, refresh };
}

function themes() {
  const chosen = document.documentElement.dataset.theme;
  const choice = h("select", { "aria-label": "Theme" }, ...THEMES.map(([value, title]) => h("option", { value }, title)));
  choice.value = chosen;
  choice.addEventListener("change", () => {
    document.documentElement.dataset.theme = choice.value;
    localStorage.setItem("unitask.theme", choice.value);
  });
  return choice;
}
