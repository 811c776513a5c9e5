/** All tasks of the account, newest first, by status, model and day. */

import { query as written } from "../kit/api.js";
import { fill, h } from "../kit/dom.js";
import { field, input, select } from "../kit/form.js";
import { between, seconds, usd, when } from "../kit/format.js";
import { empty, levelBadge, statusBadge, table } from "../kit/parts.js";
import { find, products } from "../order/catalogue.js";
import { addresses } from "../results/show.js";
import { keepQuery, link } from "../router.js";
import { isFinal } from "../tasks/follow.js";
import { words } from "../tasks/card.js";

const PAGE = 20;
const STATUSES = [["", "Every status"], "pending", "staged", "processing", "completed", "failed"];
const PICTURE = /\.(png|jpe?g|webp)$/i;

export async function render(root, context) {
  const list = await products(context.api);
  const models = [["", "Every model"], ...new Set(list.map((one) => one.model))];
  const asked = Object.fromEntries(context.query);
  const controls = {
    status: select(STATUSES, { value: asked.status ?? "" }),
    model: select(models, { value: asked.model ?? "" }),
    from: input({ type: "date", value: asked.from ?? "" }),
    to: input({ type: "date", value: asked.to ?? "" }),
  };
  const place = h("div", { class: "stack" });
  const cursors = [""];
  const values = () => Object.fromEntries(Object.entries(controls).map(([name, one]) => [name, one.value]));

  async function show() {
    const { status, model, from, to } = values();
    keepQuery(values());
    const span = { start_time: from && dayStart(from), end_time: to && dayStart(to, 1) };
    try {
      const page = await context.api.get(`/api/v1/task${written({ status, model, ...span, limit: PAGE, cursor: cursors.at(-1) })}`, { signal: context.signal });
      fill(place, page.tasks.length ? listed(page.tasks, list) : empty("No tasks", "None fits these filters."), pager(page));
    } catch (error) {
      context.fail(error);
    }
  }
  function pager(page) {
    const newer = h("button", { type: "button", disabled: cursors.length === 1, onclick: () => (cursors.pop(), show()) }, "Newer");
    const older = h("button", { type: "button", disabled: !page.next_cursor, onclick: () => (cursors.push(page.next_cursor), show()) }, "Older");
    return h("nav", { class: "row apart", "aria-label": "Pages of the history" }, newer, h("span", { class: "quiet small" }, `Page ${cursors.length}`), older);
  }
  const again = () => ((cursors.length = 1), show());
  for (const one of Object.values(controls)) one.addEventListener("change", again);
  const labels = { status: "Status", model: "Model", from: "From", to: "To" };
  fill(root, h("div", { class: "stack" }, h("div", { class: "filters" }, ...Object.entries(controls).map(([name, control]) => field({ label: labels[name], control }))), place));
  await show();
}

/** The start of a day where the visitor is, in seconds since the epoch. */
function dayStart(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime() / 1000;
}

function listed(tasks, list) {
  const rows = tasks.map((task) => {
    const product = find(list, task.model, task.task_type);
    const title = h("a", { href: link("task", task.task_id) }, product?.title ?? `${task.model} ${task.task_type}`);
    const took = between(task.meta.created_at, task.meta.ended_at);
    return [
      thumbnail(task),
      h("div", { class: "what" }, title, h("p", { class: "quiet small" }, words(task))),
      h("div", { class: "row" }, statusBadge(task.status), task.meta.engine_level && levelBadge(task.meta.engine_level)),
      h("span", { class: "nowrap" }, when(task.meta.created_at)),
      isFinal(task) ? seconds(took) : "–",
      usd(isFinal(task) ? task.meta.usage.consume : task.meta.usage.frozen),
    ];
  });
  const shown = table(["Result", "Task", "Status", "Ordered", { title: "Took", number: true }, { title: "Cost", number: true }], rows, "Tasks, newest first");
  shown.classList.add("stacks");
  return shown;
}

function thumbnail(task) {
  const url = addresses(task.output).find((one) => PICTURE.test(one));
  return url ? h("img", { class: "thumb checks", src: url, alt: "", loading: "lazy" }) : h("span", { class: "thumb", "aria-hidden": "true" });
}
