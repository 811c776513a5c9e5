/** One task in full: what came of it, what was asked, when what happened, what it cost, what its engine wrote. */

import { fill, h } from "../kit/dom.js";
import { between, money, seconds, when } from "../kit/format.js";
import { code, copyButton, facts, statusBadge } from "../kit/parts.js";
import { find, products, seedOf } from "../order/catalogue.js";
import { link } from "../router.js";
import { actions, outcome, standing, taskCard } from "../tasks/card.js";
import { isFinal } from "../tasks/follow.js";

export async function render(root, context) {
  const [id] = context.parts;
  const [list, task] = await Promise.all([products(context.api), context.api.get(`/api/v1/task/${encodeURIComponent(id)}`, { signal: context.signal })]);
  const product = find(list, task.model, task.task_type);
  context.heading.title(product?.title ?? `${task.model} ${task.task_type}`);
  context.heading.lead(h("code", {}, task.task_id), " ", copyButton(() => task.task_id, "Copy id", "plain slim"));
  const again = (fresh) => context.go("task", fresh.task_id);
  if (isFinal(task)) {
    fill(root, whole(task, product, context, again));
    return;
  }
  const card = taskCard(task, context, { list, again, ended: (last) => fill(root, whole(last, product, context, again)) });
  fill(root, h("div", { class: "stack" }, card, details(task, product, standing(task))));
}

function whole(task, product, context, again) {
  const buttons = h("div", { class: "row" }, ...actions(task, product, context, again));
  const warnings = (task.meta.warnings ?? []).map((one) => h("li", { class: "callout warn small" }, one));
  const first = h("section", { class: "card stack", "aria-label": "Outcome" }, ...outcome(task, product, context), warnings.length > 0 && h("ul", { class: "stack", "aria-label": "Warnings" }, ...warnings), buttons);
  return h("div", { class: "stack" }, first, details(task, product));
}

function details(task, product, now = "") {
  const { meta } = task;
  const shown = facts([
    ["Status", h("span", { class: "row" }, statusBadge(task.status), now)],
    ["Product", h("a", { href: link("make", task.model, task.task_type) }, `${task.model} ${task.task_type}`)],
    ["Made by", meta.engine && `${meta.engine}, level ${meta.engine_level}`],
    ["Seed", seedOf(task, product)],
    ["Ordered", when(meta.created_at)],
    ["Waited", started(meta)],
    ["Worked", isFinal(task) ? seconds(between(meta.started_at, meta.ended_at)) : null],
    ["Charged", isFinal(task) ? money(meta.usage.consume) : null],
    ["Held", meta.usage.frozen ? money(meta.usage.frozen) : null],
    ["Files are kept until", meta.expires_at && when(meta.expires_at)],
    ["Webhook", task.config.webhook_config?.endpoint],
  ]);
  const fold = (title, text, open = false) => text && h("details", { class: "card", open }, h("summary", {}, title), code(text, title));
  return h(
    "div",
    { class: "stack" },
    h("section", { class: "card", "aria-label": "Facts" }, shown),
    task.status === "failed" && task.error.raw_message !== task.error.message && fold("What the engine said", task.error.raw_message),
    fold("Input", JSON.stringify(task.input, null, 2)),
    fold("Output", task.output && JSON.stringify(task.output, null, 2)),
    fold("Log", (task.logs ?? []).join("\n")),
    fold("The whole task as JSON", JSON.stringify(secretless(task), null, 2)),
  );
}

/** A webhook's secret is for its receiver, not for the screen. */
function secretless(task) {
  const hook = task.config.webhook_config;
  return { ...task, config: { ...task.config, webhook_config: hook && { ...hook, secret: hook.secret ? "…" : "" } } };
}

const started = (meta) => {
  const waited = between(meta.created_at, meta.started_at);
  return waited === null ? null : seconds(waited);
};
