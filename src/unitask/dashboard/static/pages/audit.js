/** For operators: who decided what, and whether the books are right. */

import { query } from "../kit/api.js";
import { fill, h } from "../kit/dom.js";
import { field, input, select } from "../kit/form.js";
import { when } from "../kit/format.js";
import { badge, empty, table } from "../kit/parts.js";
import { whole } from "../kit/tiles.js";
import { keepQuery, link } from "../router.js";

const ACTIONS = ["account.open", "account.set", "credential.put", "credential.remove", "credit.top_up", "credit.adjust", "key.add", "key.rotate", "key.revoke", "key.set", "plan.put", "plan.remove"];

export async function render(root, { api, query: asked, signal, heading, fail }) {
  heading.lead("Every decision about accounts, credit, keys and plans, newest first.");
  const account = input({ value: asked.get("account_id") ?? "", inputmode: "numeric", placeholder: "every account" });
  const action = select([["", "Every action"], ...ACTIONS], { value: asked.get("action") ?? "" });
  const list = h("div", { class: "stack", "aria-live": "polite" });
  let [rows, cursor] = [[], ""];
  const more = h("button", { type: "button", onclick: () => load().catch(fail) }, "Show older ones");
  async function load() {
    const part = await api.get(`/api/v1/admin/audit${query({ limit: 50, cursor, account_id: account.value.trim(), action: action.value })}`, { signal });
    rows.push(...part.entries.map(row));
    cursor = part.next_cursor;
    more.hidden = !cursor;
    fill(list, rows.length ? table(["When", "Who", "Action", "Account", "Details"], rows, "Decisions, newest first") : empty("No decisions", "Nothing was decided, or nothing matches what you chose."), more);
  }
  async function anew() {
    [rows, cursor] = [[], ""];
    keepQuery({ account_id: account.value.trim(), action: action.value });
    await load().catch(fail);
  }
  for (const control of [account, action]) control.addEventListener("change", anew);
  const filters = h("div", { class: "grid" }, field({ label: "Account number", control: account }), field({ label: "Action", control: action }));
  fill(root, h("div", { class: "stack" }, books(api, fail), filters, list));
  await load();
}

function row(one) {
  const detail = Object.entries(one.detail).filter(([, value]) => value !== null && value !== "");
  const account = one.account_id === null ? "–" : h("a", { href: link("accounts", one.account_id) }, one.account_id);
  return [whole(when(one.time)), one.actor, badge(one.action), account, h("code", { class: "answer" }, detail.map(([name, value]) => `${name}: ${written(value)}`).join(", "))];
}

const written = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** Let the server compare every balance with the ledger. */
function books(api, fail) {
  const result = h("div", { role: "status" });
  const button = h("button", { type: "button" }, "Check the books");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { troubles } = await api.get("/api/v1/admin/ledger/check");
      fill(result, troubles.length ? h("ul", { class: "callout bad" }, ...troubles.map((one) => h("li", {}, one))) : h("p", {}, badge("right", "good"), " Every balance is what the ledger says."));
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
    }
  });
  return h("div", { class: "row" }, button, result);
}
