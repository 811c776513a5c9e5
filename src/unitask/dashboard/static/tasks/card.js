/** One task as a card: what was asked, how far it is, what came of it, and what can be done with it. */

import { fill, h } from "../kit/dom.js";
import { seconds, usd, when } from "../kit/format.js";
import { bar, confirm, levelBadge, statusBadge } from "../kit/parts.js";
import { find, seedField } from "../order/catalogue.js";
import { results } from "../results/show.js";
import { link } from "../router.js";
import { follow, isFinal } from "./follow.js";

/** What a person reads of an input first. */
export const words = (task) => task.input?.prompt || task.input?.style_prompt || task.input?.gen_text || task.input?.lyrics || "";

/** The order of a task once more; webhooks are not called twice by hand. */
export function orderOf(task) {
  const { preview, service_mode: mode } = task.config;
  const config = { ...(preview ? { preview } : {}), ...(mode ? { service_mode: mode } : {}) };
  return { model: task.model, task_type: task.task_type, input: task.input, ...(Object.keys(config).length ? { config } : {}) };
}

/** Where a task stands, as a sentence. */
export function standing(task) {
  const { queue_position: before, eta_s: left, progress } = task.meta;
  const about = left ? `about ${seconds(Math.ceil(left))} left` : "";
  const place = before === null ? "" : before === 0 ? "next in the queue" : `${before} before it`;
  if (task.status === "staged") return "Staged: waits for one of your running tasks to end.";
  if (task.status === "pending") return [place || "waits for a worker", about].filter(Boolean).join(", ");
  if (task.status === "processing") return [`${Math.round(progress * 100)} %`, about].filter(Boolean).join(", ");
  return "";
}

/**
 * Build the card and follow the task while it lives.
 * @param {any} context of the page
 * @param {{list: any[], ended?: (task: any) => void, again?: (task: any) => void, open?: boolean}} options `list` is the catalogue
 */
export function taskCard(task, context, { list, ended = () => {}, again = () => {} }) {
  const product = find(list, task.model, task.task_type);
  const told = h("span", { class: "unseen", role: "status" });
  const body = h("div", { class: "stack" });
  const card = h("article", { class: "card task stack", dataset: { task: task.task_id, status: task.status }, "aria-label": `Task: ${product?.title ?? task.task_type}` }, told, body);
  const see = (now) => {
    if (card.dataset.status !== now.status) fill(told, `${product?.title ?? now.task_type}: ${now.status}`);
    card.dataset.status = now.status;
    draw(body, now, product, context, again);
  };
  draw(body, task, product, context, again);
  if (!isFinal(task)) follow(context.api, task, context.signal, see).then((last) => isFinal(last) && (context.spent(), ended(last)));
  return card;
}

function draw(body, task, product, context, again) {
  const head = h("div", { class: "row apart" }, h("h3", {}, h("a", { href: link("task", task.task_id) }, product?.title ?? `${task.model} ${task.task_type}`)), h("div", { class: "row" }, task.meta.engine_level && levelBadge(task.meta.engine_level), statusBadge(task.status)));
  const asked = words(task) && h("p", { class: "asked" }, words(task));
  const parts = isFinal(task) ? outcome(task, product, context) : [waiting(body, task)];
  fill(body, head, asked, ...parts, foot(task, product, context, again));
}

/** The bar lives on from one drawing to the next, so that it moves instead of jumping. */
function waiting(body, task) {
  const kept = body.querySelector(".waiting") ?? h("div", { class: "waiting stack" }, bar(0, "Progress"), h("p", { class: "quiet small number" }), h("div", {}));
  const [line, text, place] = kept.children;
  line.set(task.status === "processing" ? task.meta.progress : 0);
  fill(text, standing(task));
  const { preview_url: url } = task.meta;
  if (url && place.firstChild?.src !== url) fill(place, h("img", { class: "early", src: url, alt: "Preview of what is being made" }));
  if (!url) fill(place);
  return kept;
}

export function outcome(task, product, context) {
  if (task.status === "failed") return [h("p", { class: "callout bad" }, task.error.message || "The task failed.")];
  return [results(task, product, context.signal)];
}

function foot(task, product, context, again) {
  const { consume, frozen } = task.meta.usage;
  const cost = isFinal(task) ? (consume ? `${usd(consume)} charged` : "nothing charged") : `${usd(frozen)} held`;
  return h("div", { class: "row apart foot-line" }, h("p", { class: "quiet small" }, `${when(task.meta.created_at)} · ${cost}`), h("div", { class: "row" }, ...actions(task, product, context, again)));
}

/** Buttons for what can be done with a task as it is now. */
export function actions(task, product, context, again) {
  const button = (text, act, kind = "slim") => h("button", { type: "button", class: kind, onclick: act }, text);
  if (!isFinal(task)) return [button("Cancel", () => cancel(task, context), "slim danger")];
  if (!product) return [];
  const repeat = async (event) => {
    event.target.disabled = true;
    try {
      again(await context.api.post("/api/v1/task", orderOf(task), { signal: context.signal }));
      context.notify("Ordered again.");
    } catch (error) {
      context.fail(error);
    }
    event.target.disabled = false;
  };
  const price = task.meta.usage.consume;
  const to = (more) => link("make", task.model, task.task_type, { from: task.task_id, ...more });
  return [
    button(price ? `Run again for ${usd(price)}` : "Run again", repeat),
    seedField(product) && h("a", { class: "button slim", href: to({ seed: "same" }) }, "Same seed"),
    h("a", { class: "button slim", href: to({}) }, "Change and run"),
  ].filter(Boolean);
}

async function cancel(task, context) {
  const isRunning = task.status === "processing";
  if (isRunning && !(await confirm("Stop this task?", "Stop it", "What it has made so far is lost. It costs nothing."))) return;
  try {
    await context.api.delete(`/api/v1/task/${task.task_id}`, { signal: context.signal });
  } catch (error) {
    context.fail(error);
  }
}
