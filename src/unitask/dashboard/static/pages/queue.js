/** For operators: what waits and runs, and where the time of recent tasks went. */

import { every, fill, h } from "../kit/dom.js";
import { count, seconds } from "../kit/format.js";
import { badge, empty, table } from "../kit/parts.js";
import { tile } from "../kit/tiles.js";

const POLL_MS = 3000;
const PHASES = [["queue_s", "Queue"], ["load_s", "Load"], ["run_s", "Run"], ["upload_s", "Upload"], ["deliver_s", "Deliver"]];

export async function render(root, { api, signal, heading, fail }) {
  heading.lead("Live tasks by engine and product, and medians of the tasks that were completed last.");
  let shown = "";
  const [now, pace] = [h("div", { class: "stack" }), h("div", { class: "stack" })];
  fill(root, h("div", { class: "stack apart" }, now, pace));
  await every(POLL_MS, signal, async () => {
    try {
      const [queue, workers] = await Promise.all([api.get("/api/v1/admin/queue", { signal }), api.get("/api/v1/admin/workers", { signal })]);
      const text = JSON.stringify([queue, workers.map((one) => one.alive)]);
      if (text === shown) return;
      shown = text;
      fill(now, tiles(queue.lines, workers), lines(queue.lines));
      fill(pace, h("h2", {}, "Where time goes"), timings(queue.timings));
    } catch (error) {
      fail(error);
    }
  });
}

function tiles(lines, workers) {
  const sum = (name) => count(lines.reduce((all, one) => all + one[name], 0));
  const oldest = Math.max(...lines.map((one) => one.oldest_s ?? -1));
  const alive = workers.filter((one) => one.alive).length;
  return h(
    "div",
    { class: "tiles" },
    tile("Waiting", sum("waiting"), oldest >= 0 ? `the oldest for ${seconds(oldest)}` : ""),
    tile("Staged", sum("staged"), "beyond what their accounts may run"),
    tile("Processing", sum("processing")),
    tile("Workers", count(alive), alive ? "" : "nothing runs until one comes"),
  );
}

const product = (one) => h("div", {}, one.task_type, h("div", { class: "quiet small" }, one.model));

function lines(found) {
  if (!found.length) return empty("The queue is empty", "Tasks appear here as soon as somebody orders.");
  const rows = found.map((one) => [product(one), badge(one.engine), count(one.waiting), count(one.staged), count(one.processing), seconds(one.oldest_s)]);
  const columns = ["Product", "Engine", ...["Waiting", "Staged", "Processing", "Oldest waits"].map((title) => ({ title, number: true }))];
  return table(columns, rows, "Live tasks by engine and product");
}

function timings(found) {
  if (!found.length) return h("p", { class: "quiet" }, "No task was completed yet.");
  const rows = found.map((one) => [product(one), badge(one.engine), count(one.tasks), ...PHASES.map(([name]) => seconds(one[name])), split(one)]);
  const columns = ["Product", "Engine", ...["Tasks", ...PHASES.map(([, title]) => title)].map((title) => ({ title, number: true })), "Parts"];
  const legend = h("ul", { class: "legend" }, ...PHASES.map(([, title], i) => h("li", {}, h("i", { class: `series-${i}` }), title)));
  const words = h("p", { class: "quiet small" }, "Load is the start of an attempt and reading weights, as far as the engine says so. Deliver is the time until a receiver took the webhook. A dash: nobody measured it.");
  return h("div", { class: "stack" }, table(columns, rows, "Medians by engine and product"), legend, words);
}

/** One bar whose parts are the phases. */
function split(one) {
  const known = PHASES.map(([name, title], i) => ({ title, i, value: one[name] ?? 0 }));
  const sum = known.reduce((all, { value }) => all + value, 0) || 1;
  const label = known.filter(({ value }) => value).map(({ title, value }) => `${title} ${Math.round((100 * value) / sum)} %`).join(", ") || "no time at all";
  const parts = known.map(({ i, value }) => h("i", { class: `series-${i}`, style: { width: `${(100 * value) / sum}%` } }));
  return h("div", { class: "split", role: "img", "aria-label": label, title: label }, ...parts);
}
