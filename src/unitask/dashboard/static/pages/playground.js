/** Choosing a product: all that this server sells, by family, with level and price; found by words. */

import { fill, h, prose } from "../kit/dom.js";
import { field, input, select } from "../kit/form.js";
import { usd, words } from "../kit/format.js";
import { empty, levelBadge } from "../kit/parts.js";
import { byFamily, makes, products } from "../order/catalogue.js";
import { keepQuery, link } from "../router.js";

const LEVELS = [["", "Every level"], ["full", "Full: the named model"], ["basic", "Basic: from your media"], ["preview", "Preview: a stand-in"]];
const KINDS = [["", "Everything"], ["picture", "Pictures"], ["video", "Video"], ["sound", "Sound"], ["3D", "3D models"]];

export async function render(root, context) {
  const { query, heading } = context;
  heading.lead("Choose what is to be made. The level says how much of the real model this server has.");
  const list = await products(context.api);
  const search = input({ type: "search", value: query.get("q") ?? "", placeholder: "such as cat, video, upscale", oninput: () => show() });
  const kind = select(KINDS, { value: query.get("kind") ?? "", onchange: () => show() });
  const level = select(LEVELS, { value: query.get("level") ?? "", onchange: () => show() });
  const found = h("p", { class: "quiet small", role: "status" });
  const place = h("div", { class: "stack families" });

  function show() {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) => asked.every((word) => about(one).includes(word)) && (!kind.value || makes(one) === kind.value) && (!level.value || one.engine_level === level.value);
    const shown = list.filter(fits);
    keepQuery({ q: search.value, kind: kind.value, level: level.value });
    fill(found, `${shown.length} of ${list.length} products`);
    fill(place, ...byFamily(shown).map(family), !shown.length && empty("Nothing fits", "Try another word, or every level."));
  }

  const filters = h("div", { class: "filters" }, field({ label: "Search", control: search }), field({ label: "Makes", control: kind }), field({ label: "Level", control: level }));
  fill(root, h("div", { class: "stack" }, filters, found, place));
  show();
}

const about = (one) => `${one.title} ${one.summary} ${one.model} ${one.task_type} ${one.family} ${makes(one)}`.toLowerCase();

/** What people call a family, where its name in the catalogue is not that with other letters. */
const CALLED = { ace_step: "ACE-Step", diffrhythm: "DiffRhythm", hug_video: "AI Hug", mmaudio: "MMAudio", tts: "Speech" };

function family([name, list]) {
  return h("section", { class: "stack" }, h("h2", {}, CALLED[name] ?? words(name)), h("ul", { class: "grid" }, ...list.map(entry)));
}

function entry(one) {
  const price = `${usd(one.price.points)} per ${one.price.unit}`;
  return h(
    "li",
    { class: "card product" },
    h("a", { href: link("make", one.model, one.task_type) }, one.title),
    h("p", { class: "quiet small" }, prose(one.summary)),
    h("p", { class: "row apart small" }, h("span", { class: "number" }, price), levelBadge(one.engine_level)),
  );
}
