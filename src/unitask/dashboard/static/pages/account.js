/** For operators: one account with its credit, limits, keys and usage. */

import { fill, h } from "../kit/dom.js";
import { checkbox, field, form, input, select } from "../kit/form.js";
import { ago, available, count, moment, usd, when } from "../kit/format.js";
import { keyForm, keyTable, secretCard, sureToRevoke, sureToRotate } from "../kit/keys.js";
import { limitFields, limitWords, points } from "../kit/limits.js";
import { badge, confirm, empty, facts, table, tabs } from "../kit/parts.js";
import { whole } from "../kit/tiles.js";
import { link } from "../router.js";
import { charts } from "./usage.js";

const SCOPES = ["tasks", "files", "account", "admin"];

/** Draw the page of the account with this number. */
export async function account(root, context, number) {
  const { api, signal, heading } = context;
  const path = `/api/v1/admin/accounts/${encodeURIComponent(number)}`;
  const about = h("div", {});
  const refresh = async () => {
    const found = await api.get(path, { signal });
    heading.title(found.name);
    fill(about, summary(found));
    return found;
  };
  const at = { ...context, path, refresh };
  const found = await refresh();
  heading.actions(h("a", { class: "button plain", href: link("accounts") }, "All accounts"), h("a", { class: "button", href: link("audit", { account_id: String(found.id) }) }, "Its decisions"));
  const views = [
    ["Credit", () => later(at, credit)],
    ["Usage", () => later(at, usage)],
    ["Keys", () => later(at, keys)],
    ["Settings", () => later(at, settings)],
  ];
  fill(root, h("div", { class: "stack" }, about, tabs(views, "What to show of this account")));
}

/** A view that is filled when its data have come. */
function later(at, draw) {
  const view = h("div", { class: "stack" });
  draw(view, at).catch(at.fail);
  return view;
}

function summary(one) {
  const state = h("div", { class: "row tight" }, badge(one.enabled ? "enabled" : "disabled", one.enabled ? "good" : "bad"), one.unlimited && badge("unlimited", "info"));
  const words = limitWords(one.limits);
  return h(
    "div",
    { class: "card flat about" },
    facts([
      ["Number", one.id],
      ["State", state],
      ["Available", available(one.available_points)],
      ["Held for live tasks", usd(one.held_points)],
      ["Used", `${usd(one.used_points)}, ${usd(one.spent_today_points)} ordered today`],
      ["Live tasks", `${count(one.active_tasks)} under way, ${count(one.staged_tasks)} staged`],
      ["Plan", one.plan],
      ["Limits", words.length ? words.join(", ") : "none"],
      ["Opened", when(one.created_at)],
    ]),
  );
}

async function credit(view, at) {
  const list = h("div", {});
  const refresh = async () => fill(list, packs(await at.api.get(`${at.path}/packs`, { signal: at.signal })));
  const done = async (words, form) => {
    form.querySelectorAll("input").forEach((one) => (one.value = ""));
    at.notify(words);
    await Promise.all([at.refresh(), refresh()]);
  };
  fill(view, h("div", { class: "grid wide" }, topUp(at, done), adjustment(at, done)), h("h2", {}, "Packs"), list);
  await refresh();
}

function packs(found) {
  if (!found.length) return empty("No packs", "Nothing was ever paid in.");
  const ends = (one) => (moment(one.expires_at) ? `${when(one.expires_at)} (${ago(one.expires_at)})` : "never");
  const rows = found.map((one) => [usd(one.points), usd(one.remaining_points), one.reason || "–", one.reference ?? "–", whole(when(one.created_at)), ends(one)]);
  return table([{ title: "Came in", number: true }, { title: "Left", number: true }, "Reason", "Reference", "When", "Expires"], rows, "Packs of points");
}

function topUp({ api, path }, done) {
  const usdText = input({ inputmode: "decimal", placeholder: "20" });
  const reason = input({ maxlength: 500 });
  const reference = input({ maxlength: 200 });
  const days = input({ inputmode: "numeric", placeholder: "never" });
  const send = async () => {
    const amount = points(usdText.value.trim(), "Dollars");
    const end = days.value.trim();
    if (end && !/^[1-9]\d{0,4}$/.test(end)) throw new Error("Expires after: write a number of days, or leave it empty.");
    await api.post(`${path}/credit`, { points: amount, reason: reason.value, ...(reference.value.trim() ? { reference: reference.value.trim() } : {}), ...(end ? { expires_in_days: Number(end) } : {}) });
    await done(`${usd(amount)} are added.`, card);
  };
  const fields = [
    field({ label: "Dollars", control: usdText }),
    field({ label: "Reason", control: reason }),
    field({ label: "Reference", hint: "A payment's number: the same again adds nothing.", control: reference }),
    field({ label: "Expires after so many days", control: days }),
  ];
  const card = h("section", { class: "card flat stack" }, h("h2", {}, "Add credit"), form({ fields, submit: "Add it", send }));
  return card;
}

function adjustment({ api, path }, done) {
  const usdText = input({ inputmode: "decimal", placeholder: "-1.50" });
  const reason = input({ maxlength: 500 });
  const send = async () => {
    const text = usdText.value.trim().replace("−", "-");
    const amount = points(text.replace(/^-/, ""), "Dollars") * (text.startsWith("-") ? -1 : 1);
    if (!reason.value.trim()) throw new Error("Give a reason: it stands in the statement and in the audit log.");
    if (amount < 0 && !(await confirm(`Take ${usd(-amount)} away?`, "Take it away"))) return;
    await api.post(`${path}/adjustments`, { points: amount, reason: reason.value.trim() });
    await done(`The balance is corrected by ${usd(amount)}.`, card);
  };
  const fields = [field({ label: "Dollars, with a minus to take away", control: usdText }), field({ label: "Reason", control: reason })];
  const card = h("section", { class: "card flat stack" }, h("h2", {}, "Correct the balance"), form({ fields, submit: "Correct it", send }));
  return card;
}

async function usage(view, at) {
  fill(view, ...charts(await at.api.get(`${at.path}/usage?days=30`, { signal: at.signal })));
}

async function keys(view, at) {
  const { api, path, fail, notify } = at;
  const shown = h("div", { "aria-live": "polite" });
  const list = h("div", {});
  const refresh = async () => {
    const found = (await api.get(`${path}/keys?limit=1000`, { signal: at.signal })).keys.reverse();
    fill(list, found.length ? keyTable(found, { rotate, revoke }) : empty("No keys"));
  };
  const attempt = (act) => act().then(refresh).catch(fail);
  const rotate = async (key) => (await sureToRotate(key)) && attempt(async () => fill(shown, secretCard(await api.post(`/api/v1/admin/keys/${key.id}/rotate`, {}))));
  const revoke = async (key) => (await sureToRevoke(key)) && attempt(async () => (await api.delete(`/api/v1/admin/keys/${key.id}`), notify("The key is revoked.")));
  const making = h("details", { class: "card flat" }, h("summary", {}, "Make a key"));
  const make = async (body) => {
    fill(shown, secretCard(await api.post(`${path}/keys`, body)));
    making.open = false;
    await refresh();
  };
  making.append(h("div", { class: "inside" }, keyForm({ scopes: SCOPES, make })));
  fill(view, shown, making, list);
  await refresh();
}

async function settings(view, at) {
  const [one, plans] = await Promise.all([at.api.get(at.path, { signal: at.signal }), at.api.get("/api/v1/admin/plans", { signal: at.signal })]);
  const plan = select(plans.map((each) => each.name), { value: one.plan });
  const [enabled, unlimited] = [checkbox({ checked: one.enabled }), checkbox({ checked: one.unlimited })];
  const limits = limitFields(one.own_limits);
  const send = async () => {
    const body = { plan: plan.value, enabled: enabled.checked, unlimited: unlimited.checked, limits: limits.read() };
    await at.api.patch(at.path, body);
    at.notify("The account is changed.");
    await at.refresh();
  };
  const fields = [
    h("div", { class: "short" }, field({ label: "Plan", control: plan })),
    field({ label: "Enabled", hint: "Without it none of its keys may do anything.", control: enabled, check: true }),
    field({ label: "Unlimited", hint: "It needs no balance.", control: unlimited, check: true }),
    h("fieldset", { class: "stack" }, h("legend", {}, "Limits of its own"), h("p", { class: "quiet small" }, "They win over those of the plan. An empty field leaves the plan's."), limits.element),
  ];
  fill(view, h("section", { class: "card flat stack" }, form({ fields, submit: "Save", send })));
}
