/** For operators: accounts with their balances; one account is a page of its own. */

import { query } from "../kit/api.js";
import { fill, h } from "../kit/dom.js";
import { checkbox, field, form, input, select } from "../kit/form.js";
import { available, count, usd } from "../kit/format.js";
import { badge, empty, table } from "../kit/parts.js";
import { link } from "../router.js";
import { account } from "./account.js";

export async function render(root, context) {
  if (context.parts[0]) return account(root, context, context.parts[0]);
  const { api, signal, heading, fail, go } = context;
  heading.lead("Who orders here, and what is left of their points.");
  const plans = await api.get("/api/v1/admin/plans", { signal });
  const open = h("details", { class: "card flat" }, h("summary", {}, "Open an account"), h("div", { class: "inside" }, opening(api, plans, go)));
  const list = h("div", { class: "stack" });
  fill(root, h("div", { class: "stack" }, open, list));
  let [rows, cursor] = [[], ""];
  const more = h("button", { type: "button", onclick: () => load().catch(fail) }, "Show more");
  async function load() {
    const part = await api.get(`/api/v1/admin/accounts${query({ limit: 100, cursor })}`, { signal });
    rows = [...rows, ...part.accounts.map(row)];
    cursor = part.next_cursor;
    more.hidden = !cursor;
    const columns = ["Account", "Plan", ...["Available", "Held", "Used", "Live tasks"].map((title) => ({ title, number: true })), "State"];
    fill(list, rows.length ? table(columns, rows, "Accounts by number") : empty("No accounts"), more);
  }
  await load();
}

function row(one) {
  const state = [badge(one.enabled ? "enabled" : "disabled", one.enabled ? "good" : "bad"), one.unlimited && badge("unlimited", "info")];
  return [
    h("a", { href: link("accounts", one.id) }, one.name),
    one.plan,
    available(one.available_points),
    usd(one.held_points),
    usd(one.used_points),
    count(one.active_tasks + one.staged_tasks),
    h("div", { class: "row tight" }, ...state),
  ];
}

function opening(api, plans, go) {
  const name = input({ maxlength: 200 });
  const plan = select(plans.map((one) => one.name), { value: "open" });
  const unlimited = checkbox();
  const send = async () => {
    if (!name.value.trim()) throw new Error("Give the account a name.");
    const made = await api.post("/api/v1/admin/accounts", { name: name.value.trim(), plan: plan.value, unlimited: unlimited.checked });
    go("accounts", made.id);
  };
  const fields = [
    h("div", { class: "grid" }, field({ label: "Name", control: name }), field({ label: "Plan", control: plan })),
    field({ label: "Unlimited", hint: "It needs no balance: for yourself and your team.", control: unlimited, check: true }),
  ];
  return form({ fields, submit: "Open the account", send });
}
