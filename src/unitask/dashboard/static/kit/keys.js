/** Keys as a table with what can be done to them, and the form that makes one; for one's own and for an account's. */

import { h } from "./dom.js";
import { checkbox, field, form, input } from "./form.js";
import { ago, day, moment } from "./format.js";
import { limitFields, limitWords } from "./limits.js";
import { badge, confirm, copyButton, table } from "./parts.js";
import { whole } from "./tiles.js";

const SCOPES = {
  tasks: "Order and read tasks, see webhooks",
  files: "Upload and manage files",
  account: "See the balance, make keys, set the bucket",
  admin: "Everything that an operator may do",
};

/** What a key is: works, expires, is over. */
function state(key) {
  const end = moment(key.expires_at);
  if (key.revoked_at) return badge("revoked", "bad");
  if (end && end < new Date()) return badge("expired", "bad");
  return end ? badge(`until ${day(key.expires_at)}`, "warn") : badge("works", "good");
}

const isOver = (key) => key.revoked_at || (moment(key.expires_at) ?? Infinity) < new Date();

/**
 * A table of keys.
 * @param {any[]} keys
 * @param {{mine?: string, rotate: (key: any) => Promise<void>, revoke: (key: any) => Promise<void>}} acts `mine` is the key in use
 */
export function keyTable(keys, { mine = "", rotate, revoke }) {
  const buttons = (key, name) =>
    isOver(key) ? null : h("div", { class: "row tight" }, act("Rotate", name, () => rotate(key)), act("Revoke", name, () => revoke(key), "danger"));
  const rows = keys.map((key) => {
    const name = key.name || `key ${key.id}`;
    const words = limitWords(key.limits);
    return [
      h("div", {}, name, " ", mine && mine.endsWith(key.hint) && !isOver(key) && badge("in use here", "info"), h("div", { class: "quiet small mono" }, `…${key.hint}`)),
      h("div", {}, h("div", { class: "row tight" }, ...key.scopes.map((scope) => badge(scope))), h("span", { class: "quiet small" }, words.join(", "))),
      state(key),
      whole(ago(key.last_used_at)),
      buttons(key, name),
    ];
  });
  return table(["Key", "May do", "State", "Last used", { title: h("span", { class: "unseen" }, "Actions") }], rows, "Keys");
}

function act(word, name, run, kind = "") {
  const button = h("button", { type: "button", class: `slim ${kind}`, "aria-label": `${word} ${name}` }, word);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await run().finally(() => (button.disabled = false));
  });
  return button;
}

/** Ask before a key ends. */
export const sureToRevoke = (key) =>
  confirm(`Revoke ${key.name || `key ${key.id}`}?`, "Revoke it", "Whatever uses it stops working at once. This cannot be taken back.");

/** Ask before a key is replaced. */
export const sureToRotate = (key) =>
  confirm(`Rotate ${key.name || `key ${key.id}`}?`, "Make the new key", "A new key with the same rights is made. The old one goes on working for a day, so that you can replace it.");

/** A secret, shown this once. */
export function secretCard(key) {
  const id = `secret-${key.id}`;
  const field = h("input", { id, type: "text", readonly: true, value: key.secret, class: "mono", onfocus: (event) => event.target.select() });
  return h(
    "div",
    { class: "card flat stack secret", role: "status" },
    h("h2", {}, `The new key ${key.name ? `“${key.name}”` : ""} is ready`),
    h("p", {}, "Copy it now: it is shown this once, and nobody can read it later."),
    h("label", { for: id, class: "unseen" }, "The new key"),
    field,
    h("div", { class: "row" }, copyButton(() => key.secret, "Copy the key", "main")),
  );
}

/**
 * The form that makes a key.
 * @param {{scopes: string[], make: (body: any) => Promise<void>}} options `scopes` are those that may be given
 */
export function keyForm({ scopes, make }) {
  const name = input({ maxlength: 200 });
  const days = input({ inputmode: "numeric", placeholder: "never" });
  const boxes = scopes.map((scope) => [scope, checkbox({ checked: scope !== "admin" })]);
  const limits = limitFields();
  const send = async () => {
    const chosen = boxes.filter(([, box]) => box.checked).map(([scope]) => scope);
    if (!chosen.length) throw new Error("Tick at least one scope: a key without one opens nothing.");
    const end = days.value.trim();
    if (end && !/^[1-9]\d{0,4}$/.test(end)) throw new Error("Expires after: write a number of days, or leave it empty.");
    await make({ name: name.value.trim(), scopes: chosen, limits: limits.read(), ...(end ? { expires_in_days: Number(end) } : {}) });
  };
  const fields = [
    h("div", { class: "grid" }, field({ label: "Name", hint: "What it is for, such as “shop”.", control: name }), field({ label: "Expires after so many days", control: days })),
    h("fieldset", { class: "stack" }, h("legend", {}, "Scopes"), ...boxes.map(([scope, box]) => field({ label: scope, hint: SCOPES[scope], control: box, check: true }))),
    h("details", {}, h("summary", {}, "Limits of its own"), limits.element),
  ];
  return form({ fields, submit: "Make the key", send });
}
