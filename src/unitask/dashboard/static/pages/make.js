/** One product: its form, its price before it runs, the same call as code, and what it made while this page is open. */

import { isAbort } from "../kit/api.js";
import { fill, h, later, prose } from "../kit/dom.js";
import { checkbox, field } from "../kit/form.js";
import { money, seconds, usd } from "../kit/format.js";
import { code, copyButton, empty, levelBadge, tabs } from "../kit/parts.js";
import { find, products, seedField, seedOf } from "../order/catalogue.js";
import { objectField } from "../order/fields.js";
import { snippets } from "../order/snippets.js";
import { taskCard } from "../tasks/card.js";

const QUOTE_MS = 350;

export async function render(root, context) {
  const [model, taskType] = context.parts;
  const list = await products(context.api);
  const product = find(list, model, taskType);
  if (!product) {
    fill(root, empty("No such product", `This server has no ${taskType} of ${model}.`, h("a", { href: "#/" }, "See what it has")));
    return;
  }
  context.heading.title(product.title);
  context.heading.lead(prose(product.summary), " ", h("code", {}, `${product.model} ${product.task_type}`));
  const desk = deskOf(product, list, context);
  fill(root, desk.element);
  await desk.start(context.query);
}

/** The form with its price and its results. */
function deskOf(product, list, context) {
  const state = { busy: 0 };
  const price = priceOf(product, context);
  const run = h("button", { type: "submit", class: "main" }, "Run");
  const changed = () => (price.ask(inputs.complete() ? order() : null), showCode());
  const tools = { api: context.api, signal: context.signal, fail: context.fail, changed, busy: (more) => ((state.busy += more), (run.disabled = state.busy > 0)), beside: () => undefined };
  const inputs = objectField(product.input_schema, product.input_schema, tools);
  const early = checkbox({ onchange: changed });
  const order = () => ({ model: product.model, task_type: product.task_type, input: inputs.read(), ...(early.checked ? { config: { preview: true } } : {}) });
  const made = h("section", { class: "stack", "aria-label": "Results" }, empty("Nothing made yet", "What you run shows up here."));
  const codePlace = h("div", {});
  const showCode = later(() => fill(codePlace, codeOf(order())), QUOTE_MS);

  const add = (task) => {
    made.querySelector(".empty")?.remove();
    made.prepend(taskCard(task, context, { list, again: add }));
  };
  async function send(event) {
    event.preventDefault();
    run.disabled = true;
    inputs.fail("");
    try {
      add(await context.api.post("/api/v1/task", order(), { signal: context.signal }));
      made.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (!inputs.fail(error.message, error.field)) context.fail(error);
    }
    run.disabled = state.busy > 0;
  }

  const earlyField = field({ label: "Show previews while it is made", hint: "Costs nothing; models that work in steps have them.", control: early, check: true });
  const examples = examplesOf(product, (example) => (inputs.write(example.input), changed()));
  const left = h("form", { class: "card stack order", novalidate: true, onsubmit: send }, examples, inputs.element, earlyField, h("div", { class: "go" }, price.element, run));
  const codeFold = h("details", { class: "card" }, h("summary", {}, "The same call as code"), codePlace);
  return {
    element: h("div", { class: "desk" }, h("div", { class: "stack" }, left, codeFold), made),
    start: async (query) => {
      inputs.write(await beginning(product, query, context));
      changed();
    },
  };
}

/** What the form begins with: an earlier task's input, maybe with its seed, or nothing. */
async function beginning(product, query, context) {
  if (!query.get("from")) return {};
  const task = await context.api.get(`/api/v1/task/${query.get("from")}`, { signal: context.signal });
  const seed = seedField(product);
  const input = { ...task.input };
  if (seed && query.get("seed") === "same") input[seed] = seedOf(task, product);
  return input;
}

function examplesOf(product, choose) {
  if (!product.examples.length) return null;
  const buttons = product.examples.map((one) => h("button", { type: "button", class: "slim", onclick: () => choose(one) }, one.title));
  return h("div", { class: "row", role: "group", "aria-label": "Examples" }, h("span", { class: "quiet small" }, "Examples"), ...buttons);
}

/** The price of what the form says now, or what is still wrong with it. */
function priceOf(product, context) {
  const element = h("div", { class: "price", role: "status" });
  const level = () => h("p", { class: "row small quiet" }, levelBadge(product.engine_level), product.engine ? `by ${product.engine}, usually ${seconds(product.expected_s)}` : "");
  const usual = () => fill(element, h("b", {}, `${usd(product.price.points)} per ${product.price.unit}`), level());
  let latest = new AbortController();
  const ask = later(async (order) => {
    latest.abort();
    latest = new AbortController();
    if (!order) return usual();
    try {
      const quote = await context.api.post("/api/v1/quote", order, { signal: AbortSignal.any([latest.signal, context.signal]) });
      const short = !quote.covered && h("p", { class: "callout bad small" }, `You have ${usd(quote.available_points)}, which is not enough.`);
      const warnings = quote.warnings.map((one) => h("p", { class: "callout warn small" }, one));
      fill(element, h("b", { title: money(quote.points) }, usd(quote.points)), level(), short, ...warnings, product.missing && missing(product));
    } catch (error) {
      if (isAbort(error)) return undefined;
      usual();
      element.append(h("p", { class: "quiet small" }, error.message));
    }
    return undefined;
  }, QUOTE_MS);
  usual();
  return { element, ask };
}

function missing(product) {
  return h("details", { class: "small" }, h("summary", { class: "quiet" }, product.engine ? "How it would become better" : "Why it is not available"), h("p", { class: "quiet" }, product.missing));
}

function codeOf(order) {
  const shown = snippets(order);
  const whole = snippets(order, true);
  const views = shown.map(([language, text], i) => [
    language,
    () => (text === whole[i][1] ? code(text, language) : h("div", { class: "stack" }, code(text, language), copyButton(() => whole[i][1], "Copy with the files in it"))),
  ]);
  return tabs(views, "Language");
}
