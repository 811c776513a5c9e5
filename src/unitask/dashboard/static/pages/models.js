/** For operators: engines, the level of every product, and weights with the command that brings them. */

import { fill, h } from "../kit/dom.js";
import { field, select } from "../kit/form.js";
import { bytes, count } from "../kit/format.js";
import { badge, copyButton, levelBadge, table, tabs } from "../kit/parts.js";

const LEVELS = [["", "Every level"], "full", "basic", "preview", ["none", "not available"]];

export async function render(root, { api, signal, heading }) {
  heading.lead("What the machine of the API has. A worker on another machine may have more.");
  const found = await api.get("/api/v1/admin/engines", { signal });
  const here = found.weights.filter((one) => one.installed).length;
  const views = [
    ["Products", () => products(found.products)],
    [`Weights (${count(here)} of ${count(found.weights.length)} here)`, () => weights(found.weights)],
    ["Engines", () => engines(found.engines)],
  ];
  fill(root, tabs(views, "What to show"));
}

function products(all) {
  const level = select(LEVELS);
  const list = h("div", { "aria-live": "polite" });
  const show = () => {
    const kept = all.filter((one) => !level.value || (one.engine_level ?? "none") === level.value);
    const rows = kept.map((one) => [h("div", {}, one.task_type, h("div", { class: "quiet small" }, one.model)), levelBadge(one.engine_level), one.engine ?? "–", one.missing ? h("span", { class: "small" }, one.missing) : "nothing"]);
    fill(list, table(["Product", "Level", "Engine", "Missing for something better"], rows, "Products and what makes them"));
  };
  level.addEventListener("change", show);
  show();
  return h("div", { class: "stack" }, h("div", { class: "short" }, field({ label: "Level", control: level })), list);
}

function weights(all) {
  const rows = all.map((one) => [
    h("div", {}, one.title, h("div", { class: "quiet small mono" }, one.id), h("div", { class: "quiet small" }, uses(one))),
    badge(one.installed ? "here" : "missing", one.installed ? "good" : ""),
    bytes(one.bytes),
    one.license,
    one.installed ? "–" : h("div", { class: "row tight nowrap" }, h("code", {}, one.command), copyButton(() => one.command)),
  ]);
  return table(["Weights", "State", { title: "Size, about", number: true }, "Licence", "How to get them"], rows, "Weights of models");
}

const uses = ({ products }) => (products.length ? `for ${products.join(", ")}` : "");

function engines(all) {
  const state = (one) => (one.missing ? badge("missing", "warn") : one.enabled ? badge("ready", "good") : badge("switched off", ""));
  const words = (one) => one.missing ?? (one.enabled ? "nothing" : "UNITASK_ENGINES leaves it out");
  return table(["Engine", "State", "Missing"], all.map((one) => [one.name, state(one), words(one)]), "Engines");
}
