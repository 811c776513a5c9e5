/** What is waiting and running now, for this account. */

import { every, fill, h } from "../kit/dom.js";
import { empty } from "../kit/parts.js";
import { products } from "../order/catalogue.js";
import { taskCard } from "../tasks/card.js";

const POLL_MS = 3000;
const MOST = 30;
const LIVING = ["processing", "pending", "staged"];

export async function render(root, context) {
  const list = await products(context.api);
  const cards = new Map();
  const place = h("div", { class: "stack" });
  const counted = h("p", { class: "quiet small", role: "status" });
  const nothing = empty("Nothing is running", "Tasks that wait or run show up here by themselves.", h("p", {}, h("a", { href: "#/" }, "Create something")));
  fill(root, h("div", { class: "stack" }, counted, place, nothing));
  const add = (task) => {
    if (cards.has(task.task_id)) return;
    const card = taskCard(task, context, { list, again: add });
    cards.set(task.task_id, card);
    place.append(card);
    nothing.hidden = true;
  };
  await every(POLL_MS, context.signal, async () => {
    try {
      const pages = await Promise.all(LIVING.map((status) => context.api.get(`/api/v1/task?status=${status}&limit=${MOST}`, { signal: context.signal })));
      const tasks = pages.flatMap((page) => page.tasks);
      tasks.forEach(add);
      const more = pages.some((page) => page.next_cursor);
      fill(counted, tasks.length ? `${tasks.length}${more ? " and more" : ""} not yet ended` : "");
      nothing.hidden = cards.size > 0;
    } catch (error) {
      context.fail(error);
    }
  });
}
