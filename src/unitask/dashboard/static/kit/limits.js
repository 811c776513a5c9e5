/** Limits of accounts and keys: as fields to fill in, and in words. */

import { h } from "./dom.js";
import { field, input } from "./form.js";
import { count, usd } from "./format.js";

const POINTS_PER_USD = 10_000_000;
const NUMBERS = [
  ["concurrent_tasks", "Tasks at the same time", "Pending and processing."],
  ["staged_tasks", "Tasks that may wait beyond those", ""],
  ["requests_per_minute", "Requests a minute", ""],
];
const LISTS = [
  ["models", "Products", "Patterns with commas between them: Qubico/flux*, Qubico/tts/zero-shot"],
  ["networks", "Addresses that may ask", "Networks with commas between them: 203.0.113.0/24"],
];

/**
 * Fields for limits; empty ones set no limit.
 * @param {any} [known] limits as the API gives them
 * @returns {{element: HTMLElement, read: () => Record<string, any>}} `read` throws a sentence for what is no number
 */
export function limitFields(known = {}) {
  const controls = new Map();
  const add = (name, label, hint, value, props = {}) => {
    controls.set(name, input({ value: value ?? "", ...props }));
    return field({ label, hint, control: controls.get(name) });
  };
  const dollars = known.daily_points === null || known.daily_points === undefined ? "" : known.daily_points / POINTS_PER_USD;
  const fields = [
    ...NUMBERS.map(([name, label, hint]) => add(name, label, hint, known[name], { inputmode: "numeric" })),
    add("daily_points", "Dollars a day (UTC)", "What the tasks of one day may cost.", dollars, { inputmode: "decimal" }),
    ...LISTS.map(([name, label, hint]) => add(name, label, hint, known[name]?.join(", "))),
  ];
  const read = () => {
    const text = (name) => controls.get(name).value.trim();
    const found = { ...(Object.keys(known.family_tasks ?? {}).length ? { family_tasks: known.family_tasks } : {}) };
    for (const [name, label] of NUMBERS) if (text(name)) found[name] = whole(text(name), label);
    if (text("daily_points")) found.daily_points = points(text("daily_points"), "Dollars a day");
    for (const [name] of LISTS) if (text(name)) found[name] = text(name).split(",").map((one) => one.trim()).filter(Boolean);
    return found;
  };
  return { element: h("div", { class: "grid" }, ...fields), read };
}

function whole(text, label) {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${label}: write a whole number, or leave it empty for no limit.`);
  return Number(text);
}

/** Read dollars as points. */
export function points(text, label) {
  if (!/^\d{1,8}(\.\d{1,7})?$/.test(text)) throw new Error(`${label}: write dollars such as 20 or 19.99.`);
  return Math.round(Number(text) * POINTS_PER_USD);
}

/** Limits as short phrases; an empty list where there are none. */
export function limitWords(limits) {
  const { concurrent_tasks: tasks, staged_tasks: staged, requests_per_minute: requests, daily_points: daily, models, networks } = limits;
  const isSet = (value) => value !== null && value !== undefined;
  return [
    isSet(tasks) && `${count(tasks)} tasks at once`,
    ...Object.entries(limits.family_tasks ?? {}).map(([family, number]) => `${count(number)} of ${family} at once`),
    isSet(staged) && `${count(staged)} more may wait`,
    isSet(requests) && `${count(requests)} requests a minute`,
    isSet(daily) && `${usd(daily)} a day`,
    models && `only ${models.join(", ") || "no product"}`,
    networks && `only from ${networks.join(", ") || "nowhere"}`,
  ].filter(Boolean);
}
