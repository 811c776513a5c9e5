/** Parts that several pages show: badges, tables, code with a copy button, questions. */

import { fill, h, newId } from "./dom.js";

const STATUS = { completed: "good", processing: "info", pending: "", staged: "", failed: "bad" };
const LEVEL = { full: "good", basic: "info", preview: "warn" };

export const badge = (text, kind = "") => h("span", { class: `badge ${kind}` }, text);

/** A task's status. */
export const statusBadge = (status) => badge(status, STATUS[status] ?? "");

/** How much of the real thing an engine makes; null means that nothing can make it here. */
export const levelBadge = (level) => badge(level ?? "not available", level ? LEVEL[level] ?? "" : "bad");

/** Words in the place of a list that is empty. */
export const empty = (title, text = "", ...more) => h("div", { class: "empty stack" }, h("div", {}, h("h2", {}, title), h("p", {}, text)), ...more);

/**
 * A table that scrolls within itself on small screens.
 * @param {{title: string, number?: boolean}[] | string[]} columns
 * @param {any[][]} rows cells as nodes or text
 * @param {string} caption what it lists, for screen readers
 */
export function table(columns, rows, caption) {
  const heads = columns.map((one) => (typeof one === "string" ? { title: one } : one));
  const kind = (place) => (heads[place].number ? "number" : null);
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, ...heads.map((one, i) => h("th", { scope: "col", class: kind(i) }, one.title)))),
      h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell, i) => h("td", { class: kind(i) }, cell))))),
    ),
  );
}

/** Names and values. @param {[string, any][]} pairs those with a value of null or "" are left out */
export function facts(pairs) {
  const kept = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, ...kept.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A button that copies what `text` gives, and says so. */
export function copyButton(text, label = "Copy", kind = "slim") {
  const button = h("button", { type: "button", class: kind }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      fill(button, "Copied");
    } catch {
      fill(button, "Not allowed here");
    }
    setTimeout(() => fill(button, label), 1500);
  });
  return button;
}

/** Text as code, with a copy button. */
export function code(text, label = "Code") {
  return h("div", { class: "code" }, h("pre", { tabindex: "0", role: "region", "aria-label": label }, text), copyButton(() => text));
}

/** A bar that shows a part of 1. */
export function bar(share, label) {
  const props = { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 };
  const whole = h("div", props, h("i"));
  whole.set = (part) => {
    const percent = Math.round(Math.min(1, Math.max(0, part)) * 100);
    whole.setAttribute("aria-valuenow", percent);
    whole.firstChild.style.setProperty("width", `${percent}%`);
  };
  whole.set(share);
  return whole;
}

/**
 * Several views of which one is seen, by the tab pattern: arrow keys choose.
 * @param {[string, () => Node][]} views drawn when chosen
 */
export function tabs(views, label) {
  const panel = h("div", { role: "tabpanel", id: newId("panel") });
  const buttons = views.map(([title]) =>
    h("button", { type: "button", role: "tab", class: "slim", id: newId("tab"), "aria-controls": panel.id }, title),
  );
  const choose = (place, focus = true) => {
    buttons.forEach((one, i) => {
      one.setAttribute("aria-selected", String(i === place));
      one.tabIndex = i === place ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[place].id);
    fill(panel, views[place][1]());
    if (focus) buttons[place].focus();
  };
  buttons.forEach((one, i) => {
    one.addEventListener("click", () => choose(i));
    one.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (step) choose((i + step + buttons.length) % buttons.length);
    });
  });
  choose(0, false);
  return h("div", {}, h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...buttons), panel);
}

/** Ask before something that cannot be taken back. @returns {Promise<boolean>} */
export function confirm(question, yes, detail = "") {
  return new Promise((decide) => {
    const id = newId("question");
    const answer = (value) => h("button", { type: "button", class: value ? "main" : "", onclick: () => dialog.close(value ? "yes" : "") }, value ? yes : "Go back");
    const dialog = h("dialog", { class: "stack", "aria-labelledby": id }, h("h2", { id }, question), detail && h("p", { class: "quiet" }, detail), h("div", { class: "row" }, answer(true), answer(false)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      decide(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
