/** What was ordered and spent: by day, by product, packs of points, the statement. */

import { query } from "../kit/api.js";
import { bars, largest } from "../kit/chart.js";
import { fill, h } from "../kit/dom.js";
import { field, select } from "../kit/form.js";
import { available, ago, count, moment, usd, when } from "../kit/format.js";
import { badge, bar, empty, table } from "../kit/parts.js";
import { tile } from "../kit/tiles.js";
import { keepQuery } from "../router.js";

const PERIODS = [["7", "Last 7 days"], ["30", "Last 30 days"], ["90", "Last 90 days"], ["365", "Last 365 days"]];
const DAY_MS = 86_400_000;

export async function render(root, { api, query: asked, signal, heading, fail }) {
  heading.lead("What ended, by the day in UTC, and what it cost.");
  const days = select(PERIODS, { value: PERIODS.some(([value]) => value === asked.get("days")) ? asked.get("days") : "30" });
  const body = h("div", { class: "stack apart" });
  const show = async () => {
    keepQuery({ days: days.value });
    try {
      const [account, usage] = await Promise.all([api.get("/account/info", { signal }), api.get(`/api/v1/usage${query({ days: days.value })}`, { signal })]);
      fill(body, h("div", { class: "stack" }, balances(account, usage), ...charts(usage)), products(usage), packs(account), statement(api, Number(days.value), fail));
    } catch (error) {
      fail(error);
    }
  };
  days.addEventListener("change", show);
  fill(root, h("div", { class: "stack" }, h("div", { class: "short" }, field({ label: "Period", control: days })), body));
  await show();
}

function balances(account, { usage }) {
  const info = account.credit_pack_info;
  const sum = (name) => usage.reduce((all, one) => all + one[name], 0);
  const ended = sum("completed") + sum("failed");
  return h(
    "div",
    { class: "tiles" },
    tile("Available", available(info.available_credits), info.frozen_credits ? `${usd(info.frozen_credits)} held for live tasks` : ""),
    tile("Spent in this time", usd(sum("points")), `${usd(info.used_credits)} since the account was opened`),
    tile("Tasks completed", count(sum("completed")), ended ? `${Math.round((100 * sum("completed")) / ended)} % of what ended` : ""),
    tile("Tasks failed", count(sum("failed")), "cancelled ones among them"),
  );
}

/** Every day of the period, as `2026-11-21`. */
function calendar({ start_date: start, end_date: end }) {
  const found = [];
  for (let at = Date.parse(start); at <= Date.parse(end); at += DAY_MS) found.push(new Date(at).toISOString().slice(0, 10));
  return found;
}

function byModel(days, usage, name) {
  const models = [...new Set(usage.map((one) => one.model))];
  const values = (model) => days.map((day) => usage.reduce((all, one) => all + (one.model === model && one.date === day ? one[name] : 0), 0));
  return largest(models.map((model) => ({ name: model, values: values(model) })));
}

/** The two charts of a usage document; an operator's page of an account shows them as well. */
export function charts(found) {
  const days = calendar(found);
  if (!found.usage.length) return [empty("Nothing ended in this time", "Charts appear as soon as a task has ended.")];
  const ended = (name) => days.map((day) => found.usage.reduce((all, one) => all + (one.date === day ? one[name] : 0), 0));
  const tasks = [{ name: "completed", kind: "done", values: ended("completed") }, { name: "failed", kind: "lost", values: ended("failed") }];
  return [
    bars({ title: "Spent by day and model", days, series: byModel(days, found.usage, "points"), write: usd }),
    bars({ title: "Tasks by day", days, series: tasks, write: count, least: 1 }),
  ];
}

function products({ usage }) {
  const sums = new Map();
  for (const one of usage) {
    const sum = sums.get(`${one.model} ${one.task_type}`) ?? { ...one, completed: 0, failed: 0, points: 0 };
    for (const name of ["completed", "failed", "points"]) sum[name] += one[name];
    sums.set(`${one.model} ${one.task_type}`, sum);
  }
  if (!sums.size) return null;
  const sorted = [...sums.values()].sort((a, b) => b.points - a.points);
  const most = Math.max(...sorted.map((one) => one.points), 1);
  const rows = sorted.map((one) => [
    h("div", {}, one.task_type, h("div", { class: "quiet small" }, one.model)),
    count(one.completed),
    count(one.failed),
    usd(one.points),
    h("div", { class: "share" }, bar(one.points / most, `${one.task_type}: share of the largest`)),
  ]);
  const columns = ["Product", ...["Completed", "Failed", "Spent"].map((title) => ({ title, number: true })), "Share"];
  return h("section", { class: "stack" }, h("h2", {}, "By product"), table(columns, rows, "What each product cost"));
}

function packs(account) {
  const found = account.credit_pack_info.credit_packs;
  const section = (what) => h("section", { class: "stack" }, h("h2", {}, "Packs of points"), what);
  if (!found.length) return section(h("p", { class: "quiet" }, "No points have come in yet. The operator of this server adds them."));
  const rows = found.map((pack) => [usd(pack.capacity), badge(pack.active ? "in use" : "used up or over", pack.active ? "good" : ""), ends(pack.expired_at)]);
  return section(table([{ title: "Came in", number: true }, "State", "Expires"], rows, "Packs of points"));
}

const ends = (text) => (moment(text) ? `${when(text)} (${ago(text)})` : "never");

const KINDS = { top_up: "Came in", adjust_up: "Corrected up", adjust_down: "Corrected down", hold: "Held for tasks", capture: "Charged", release: "Given back", expire: "Expired" };

function statement(api, days, fail) {
  const end = Math.floor(Date.now() / 1000) + 1;
  const period = { start_time: end - days * 86_400, end_time: end };
  const result = h("div", { class: "stack", "aria-live": "polite" });
  const see = async () => {
    try {
      fill(result, totals(await api.get(`/api/v1/statement${query({ ...period, limit: 1 })}`)));
    } catch (error) {
      fail(error);
    }
  };
  const download = async () => {
    try {
      save(await api.blob(`/api/v1/statement${query({ ...period, format: "csv" })}`), "statement.csv");
    } catch (error) {
      fail(error);
    }
  };
  const buttons = h("div", { class: "row" }, h("button", { type: "button", onclick: see }, "Show the totals"), h("button", { type: "button", onclick: download }, "Download as CSV"));
  return h("section", { class: "stack" }, h("h2", {}, "Statement"), h("p", { class: "quiet" }, "Every movement of points in this time."), buttons, result);
}

function totals(found) {
  const rows = [
    ["Available at the start", "", usd(found.opening_points)],
    ...Object.entries(found.totals).map(([kind, sum]) => [KINDS[kind] ?? kind, count(sum.count), usd(sum.points)]),
    ["Available at the end", "", usd(found.closing_points)],
  ];
  return table(["Movement", { title: "Number", number: true }, { title: "Amount", number: true }], rows, "Totals of the statement");
}

/** Hand a file to the visitor's browser. */
function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
