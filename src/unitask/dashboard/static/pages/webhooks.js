/** Webhooks: what was sent, what receivers answered, sending again, trying an endpoint. */

import { query } from "../kit/api.js";
import { fill, h } from "../kit/dom.js";
import { field, form, input, select } from "../kit/form.js";
import { ago, count, moment, when } from "../kit/format.js";
import { badge, code, confirm, empty, facts, table } from "../kit/parts.js";
import { whole } from "../kit/tiles.js";
import { keepQuery, link } from "../router.js";

const STATES = { owed: "warn", delivered: "good", exhausted: "bad", gone: "bad", disabled: "bad", dropped: "" };
const MEANINGS = {
  owed: "It waits for its next attempt.",
  delivered: "The receiver took it.",
  exhausted: "The receiver did not take it for a day.",
  gone: "The receiver answered 410: it wants no more of them.",
  disabled: "The endpoint failed for days and was switched off. A test that it takes switches it on again.",
  dropped: "A newer message made it needless.",
};
const EVENTS = ["task.completed", "task.failed", "task.processing", "task.progress"];
const SETTING = `"config": {
  "webhook_config": {
    "endpoint": "https://example.com/hook",
    "secret": "a text that only you know"
  }
}`;
const SPANS = [["1", "the last hour"], ["24", "the last day"], ["168", "the last 7 days"], ["720", "the last 30 days"]];

export async function render(root, context) {
  if (context.parts[0]) return delivery(root, context, context.parts[0]);
  context.heading.lead("Messages to your endpoints. They are kept for 30 days.");
  const tools = h("div", { class: "grid wide" }, trial(context), again(context));
  fill(root, h("div", { class: "stack" }, setting(), tools, await log(context)));
}

function setting() {
  const words = h("p", {}, "An order names its own endpoint. Add this beside ", h("code", {}, "input"), ", and the server tells you there when the task has ended:");
  return h("details", { class: "card flat" }, h("summary", {}, "How to get webhooks"), h("div", { class: "stack inside" }, words, code(SETTING, "A webhook's settings in an order")));
}

const stateBadge = (state) => badge(state, STATES[state] ?? "");

async function log({ api, query: asked, signal, fail }) {
  const state = select([["", "Every state"], ...Object.keys(STATES)], { value: asked.get("state") ?? "" });
  const event = select([["", "Every event"], ...EVENTS], { value: asked.get("event") ?? "" });
  const task = input({ value: asked.get("task_id") ?? "", placeholder: "every task", spellcheck: "false" });
  const list = h("div", { class: "stack", "aria-live": "polite" });
  let [rows, cursor] = [[], ""];
  const more = h("button", { type: "button", onclick: () => load().catch(fail) }, "Show older ones");
  async function load() {
    const part = await api.get(`/api/v1/webhooks/deliveries${query({ limit: 25, cursor, state: state.value, event: event.value, task_id: task.value.trim() })}`, { signal });
    rows.push(...part.deliveries.map(row));
    cursor = part.next_cursor;
    more.hidden = !cursor;
    const nothing = empty("No messages", "Nothing was sent, or nothing matches what you chose.");
    fill(list, rows.length ? table(["State", "Event", "Endpoint", { title: "Attempts", number: true }, "Made", "Last answer"], rows, "Messages, newest first") : nothing, more);
  }
  async function anew() {
    [rows, cursor] = [[], ""];
    keepQuery({ state: state.value, event: event.value, task_id: task.value.trim() });
    await load().catch(fail);
  }
  for (const control of [state, event, task]) control.addEventListener("change", anew);
  await load();
  const filters = [field({ label: "State", control: state }), field({ label: "Event", control: event }), field({ label: "Task", control: task })];
  return h("section", { class: "stack" }, h("h2", {}, "Messages"), h("div", { class: "grid" }, ...filters), list);
}

function row(one) {
  return [
    stateBadge(one.state),
    h("a", { href: link("webhooks", one.id) }, one.event),
    h("span", { class: "cut" }, one.endpoint),
    count(one.attempts),
    whole(ago(one.created_at)),
    h("span", { class: "cut" }, one.reason || "–"),
  ];
}

/** Send a sample now, and show what came back. */
function trial({ api }) {
  const endpoint = input({ type: "url", placeholder: "https://example.com/hook", required: true });
  const secret = input({ spellcheck: "false" });
  const result = h("div", { role: "status" });
  const send = async () => {
    if (!endpoint.value.trim()) throw new Error("Write the address to which the sample is to go.");
    fill(result, h("p", { class: "quiet" }, "Sending…"));
    try {
      fill(result, outcome(await api.post("/api/v1/webhooks/test", { endpoint: endpoint.value.trim(), secret: secret.value })));
    } catch (error) {
      fill(result);
      throw error;
    }
  };
  const fields = [field({ label: "Endpoint", control: endpoint }), field({ label: "Secret", hint: "Signs the sample, as it would sign a message.", control: secret })];
  return h("section", { class: "card flat stack" }, h("h2", {}, "Try an endpoint"), form({ fields, submit: "Send a sample", send }), result);
}

const outcome = (told) =>
  h("div", { class: "stack" }, h("p", {}, badge(told.delivered ? "taken" : "not taken", told.delivered ? "good" : "bad"), ` ${told.reason} after ${count(told.milliseconds)} ms`), told.answer && code(told.answer, "What the receiver answered"));

/** Send the messages of a span of time again. */
function again({ api, notify }) {
  const span = select(SPANS, { value: "24" });
  const state = select([["", "that were not taken"], ["delivered", "that were taken"], ["exhausted", "that were given up"], ["disabled", "of endpoints that were switched off"]]);
  const send = async () => {
    const now = Math.floor(Date.now() / 1000);
    const body = { start_time: now - Number(span.value) * 3600, end_time: now + 1, state: state.value, cursor: "" };
    let replayed = 0;
    do {
      const done = await api.post("/api/v1/webhooks/replay", body);
      replayed += done.replayed;
      body.cursor = done.next_cursor;
    } while (body.cursor);
    notify(replayed === 1 ? "1 message is sent again." : `${count(replayed)} messages are sent again.`);
  };
  const fields = [field({ label: "Messages of", control: span }), field({ label: "Which", control: state })];
  return h("section", { class: "card flat stack" }, h("h2", {}, "Send many again"), form({ fields, submit: "Send them again", send }));
}

async function delivery(root, context, id) {
  const { api, signal, heading, fail, notify } = context;
  const found = await api.get(`/api/v1/webhooks/deliveries/${encodeURIComponent(id)}`, { signal });
  const draw = (one) => {
    heading.title(`Message ${one.event}`);
    const replay = async () => {
      if (!(await confirm("Send this message again?", "Send it again", `It goes to ${one.endpoint}.`))) return;
      try {
        await api.post(`/api/v1/webhooks/deliveries/${id}/replay`, {});
        notify("The message is sent again.");
        draw(await api.get(`/api/v1/webhooks/deliveries/${id}`, { signal }));
      } catch (error) {
        fail(error);
      }
    };
    const reload = async () => draw(await api.get(`/api/v1/webhooks/deliveries/${id}`, { signal }).catch((error) => (fail(error), one)));
    heading.actions(h("a", { class: "button plain", href: link("webhooks") }, "All messages"), h("button", { type: "button", onclick: reload }, "Refresh"), h("button", { type: "button", class: "main", onclick: replay }, "Send again"));
    fill(root, h("div", { class: "stack" }, about(one), attempts(one.log)));
  };
  draw(found);
}

function about(one) {
  return h(
    "div",
    { class: "card flat" },
    facts([
      ["State", h("span", {}, stateBadge(one.state), ` ${MEANINGS[one.state] ?? ""}`)],
      ["Task", h("a", { href: link("task", one.task_id), class: "mono" }, one.task_id)],
      ["Endpoint", one.endpoint],
      ["Made", when(one.created_at)],
      ["Next attempt", moment(one.next_at) && when(one.next_at)],
      ["Done", moment(one.settled_at) && when(one.settled_at)],
      ["Last answer", one.reason],
    ]),
  );
}

function attempts(log) {
  if (!log.length) return empty("No attempt yet", "The first one is on its way.");
  const rows = log.map((one) => [whole(when(one.at)), one.status ?? "–", one.reason, `${count(one.milliseconds)} ms`, one.answer ? h("code", { class: "answer" }, one.answer) : "–"]);
  return h("section", { class: "stack" }, h("h2", {}, "Attempts"), table(["When", "Status", "What happened", { title: "Took", number: true }, "Answer"], rows, "Attempts, oldest first"));
}
