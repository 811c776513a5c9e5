/** For operators: who makes things, on what, and what each is at. */

import { every, fill, h } from "../kit/dom.js";
import { clusters } from "../kit/clusters.js";
import { ago, bytes } from "../kit/format.js";
import { badge, bar, empty, facts } from "../kit/parts.js";

const POLL_MS = 3000;

export async function render(root, { api, signal, heading, fail }) {
  heading.lead("A worker gives a sign of life every second or so. One that is silent loses what it holds, and the tasks run again elsewhere.");
  let shown = "";
  await every(POLL_MS, signal, async () => {
    try {
      const ask = (path) => api.get(`/api/v1/admin/${path}`, { signal });
      const [workers, found] = await Promise.all([ask("workers"), ask("clusters")]);
      const text = JSON.stringify([workers.map((one) => ({ ...one, seen_at: one.alive || one.seen_at })), found.map((one) => ({ ...one, age_s: 0 }))]);
      if (text === shown) return;
      shown = text;
      const sorted = workers.sort((a, b) => Number(b.alive) - Number(a.alive));
      const cards = sorted.length ? h("div", { class: "grid wide" }, ...sorted.map(card)) : none();
      fill(root, h("div", { class: "stack apart" }, ...clusters(found), cards));
    } catch (error) {
      fail(error);
    }
  });
}

const device = (name, size) => (size ? `${name}, ${bytes(size)}` : name);

const STATE = { up: "good", trying: "warn", down: "bad" };

function provider(one) {
  const latency = one.latency_ms === null ? "" : `, ${Math.round(one.latency_ms)} ms`;
  const shown = badge(`${one.provider}: ${one.state}${latency}`, STATE[one.state]);
  shown.title = one.why;
  return shown;
}

const none = () => empty("No workers", "Start one with: unitask worker. It needs this server's address and UNITASK_WORKER_TOKEN.");

function card(one) {
  const head = h("div", { class: "row apart" }, h("h2", { class: "cut" }, one.name), badge(one.alive ? "alive" : "silent", one.alive ? "good" : "bad"));
  const badges = (names) => h("div", { class: "row tight" }, ...names.map((name) => badge(name)));
  const about = facts([
    ["Engines", badges(one.engines)],
    ["Devices", one.devices.length ? badges(one.devices.map((name) => device(name, one.memory_bytes[name]))) : "none of its own"],
    ["In memory", one.loaded.length ? badges(one.loaded) : "no model"],
    ...(one.providers.length ? [["Providers", h("div", { class: "row tight" }, ...one.providers.map(provider))]] : []),
    ["Since", ago(one.started_at)],
    ["Seen", one.alive ? "just now" : ago(one.seen_at)],
  ]);
  const tasks = one.running.length ? h("ul", { class: "stack" }, ...one.running.map(task)) : h("p", { class: "quiet" }, one.alive ? "It waits for work." : "");
  return h("article", { class: "card flat stack" }, head, about, tasks);
}

function task(one) {
  const words = `${one.task_type} by ${one.engine}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}`;
  const note = h("span", { class: "quiet small" }, `${Math.round(one.progress * 100)} %${one.note ? ` · ${one.note}` : ""}`);
  return h("li", {}, h("div", { class: "row apart" }, h("span", {}, words), note), bar(one.progress, words), h("span", { class: "quiet small mono" }, one.task_id));
}
