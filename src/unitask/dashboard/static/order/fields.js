/** A form drawn from a JSON schema. Every field is `{element, read(), write(value), fail(message)}`; undefined is "left out". */

import { fill, h, prose } from "../kit/dom.js";
import { checkbox, field, input, select } from "../kit/form.js";
import { margins } from "./margins.js";
import { media } from "./media.js";
import { arranged, isLong, plain, range, titled } from "./schema.js";

/**
 * The form of an object; one inside another folds nothing away (`inside`).
 * @param {any} schema @param {any} root the schema that has its `$defs`
 * @param {{api: any, signal: AbortSignal, changed: () => void, fail: (error: Error) => void}} tools
 */
export function objectField(schema, root, tools) {
  const { required, main, more } = arranged(schema);
  const inside = {};
  const make = ([name, raw]) => {
    inside[name] = anyField(name, plain(raw, root), root, { ...tools, beside: (other) => inside[other] }, required.has(name));
    return inside[name].element;
  };
  const shown = main.map(make);
  const hidden = more.map(make);
  const few = tools.inside || !main.some(([, one]) => !("const" in one));
  const folded = hidden.length > 0 && !few && h("details", { class: "more" }, h("summary", {}, "More options"), h("div", { class: "options" }, ...hidden));
  const element = h("div", { class: "stack" }, ...shown, few && h("div", { class: "options" }, ...hidden), folded);
  return {
    element,
    read: () => Object.fromEntries(Object.entries(inside).map(([name, one]) => [name, one.read()]).filter(([, value]) => value !== undefined)),
    write: (values = {}) => {
      for (const [name, one] of Object.entries(inside)) one.write(values[name]);
      const set = more.some(([name]) => values[name] !== undefined);
      if (folded && set) folded.open = true;
    },
    /** Show what is wrong at the field that it is about; false where there is no such field. */
    fail: (message, name = "") => {
      for (const one of Object.values(inside)) one.fail("");
      if (!inside[name]) return false;
      if (folded && more.some(([one]) => one === name)) folded.open = true;
      inside[name].fail(message);
      return true;
    },
    /** Whether nothing that must be there is blank. */
    complete: () => [...required].every((name) => inside[name].read() !== ""),
  };
}

function anyField(name, schema, root, tools, required) {
  if ("const" in schema) return { element: h("span", { hidden: true }), read: () => schema.const, write() {}, fail() {} };
  const label = titled(name);
  if (schema["x-media"]) return media(label, schema, tools, required);
  if (schema.type === "array") return listField(label, schema, root, tools, required);
  if (schema.type === "object") return grouped(label, objectField(schema, root, { ...tools, inside: true }));
  if (schema.type === "boolean") return boolField(label, schema, tools);
  if (schema.enum) return choiceField(label, schema, tools, required);
  return textField(name, label, schema, tools, required);
}

function hintOf(schema) {
  const limits = range(schema);
  return prose([schema.description, limits && `(${limits})`].filter(Boolean).join(" "));
}

function textField(name, label, schema, tools, required) {
  const isNumber = schema.type === "integer" || schema.type === "number";
  const preset = schema.default ?? "";
  const props = { oninput: tools.changed, placeholder: isNumber ? String(preset) : null, spellcheck: isNumber ? "false" : "true" };
  const control = isNumber
    ? input({ ...props, inputmode: schema.type === "integer" ? "numeric" : "decimal" })
    : isLong(name, schema) ? h("textarea", { ...props, rows: 3 }) : input({ ...props, maxlength: schema.maxLength });
  const whole = field({ label, hint: hintOf(schema), control, required });
  return {
    element: whole,
    read: () => {
      const text = control.value.trim();
      if (text === "") return required && !isNumber ? "" : undefined;
      // What is no number goes as it stands: the API says what is wrong with it.
      return isNumber && Number.isFinite(Number(text)) ? Number(text) : text;
    },
    write: (value) => (control.value = value === undefined || value === null || (isNumber && value === schema.default) ? "" : String(value)),
    fail: whole.setError,
  };
}

function choiceField(label, schema, tools, required) {
  const none = schema.default === undefined && !required ? [["", "none"]] : [];
  const control = select([...none, ...schema.enum.map((one) => [String(one), String(one)])], { onchange: tools.changed, value: String(schema.default ?? schema.enum[0]) });
  const whole = field({ label, hint: hintOf(schema), control, required });
  const given = (text) => schema.enum.find((one) => String(one) === text);
  return {
    element: whole,
    read: () => (control.value === "" || (!required && given(control.value) === schema.default) ? undefined : given(control.value)),
    write: (value) => (control.value = String(value ?? schema.default ?? schema.enum[0])),
    fail: whole.setError,
  };
}

function boolField(label, schema, tools) {
  const control = checkbox({ onchange: tools.changed, checked: Boolean(schema.default) });
  const whole = field({ label, hint: hintOf(schema), control, check: true });
  return {
    element: whole,
    read: () => (control.checked === Boolean(schema.default) ? undefined : control.checked),
    write: (value) => (control.checked = Boolean(value ?? schema.default)),
    fail: whole.setError,
  };
}

function grouped(label, inner, ...buttons) {
  return { ...inner, element: h("fieldset", {}, h("legend", {}, label), inner.element, ...buttons) };
}

/** A list of things, each with a button that takes it away; one that holds exactly one thing has no buttons. */
function listField(label, schema, root, tools, required) {
  const items = plain(schema.items, root);
  const [least, most] = [schema.minItems ?? 0, schema.maxItems ?? 100];
  const fixed = least === 1 && most === 1;
  let rows = [];
  const place = h("div", { class: "stack" });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const add = h("button", { type: "button", class: "slim", onclick: () => (append(), tools.changed()) }, `Add to ${label.toLowerCase()}`);
  const draw = () => {
    fill(place, ...rows.map((row) => row.shown));
    add.hidden = fixed || rows.length >= most;
    for (const row of rows) row.remove.hidden = rows.length <= least;
  };
  function append(value) {
    const isObject = items.type === "object";
    const inner = isObject ? objectField(items, root, { ...tools, inside: true }) : anyField(`${label} ${rows.length + 1}`, items, root, tools, false);
    const drawn = isObject && margins(inner, items, tools);
    const remove = h("button", { type: "button", class: "plain slim", "aria-label": `Remove from ${label.toLowerCase()}`, onclick: () => { rows = rows.filter((one) => one !== row); draw(); tools.changed(); } }, "Remove");
    const row = { ...inner, remove, shown: h("div", { class: "stack item" }, drawn, inner.element, remove) };
    if (value !== undefined) inner.write(value);
    rows.push(row);
    draw();
  }
  const write = (values) => {
    rows = [];
    for (const value of values ?? []) append(value);
    while (rows.length < least) append();
    draw();
  };
  write();
  return {
    element: h("fieldset", {}, h("legend", {}, label, required && h("span", { class: "quiet" }, " (required)")), h("div", { class: "stack" }, schema.description && h("p", { class: "hint quiet small" }, prose(schema.description)), place, error, h("div", { class: "row" }, add))),
    read: () => (rows.length ? rows.map((row) => row.read()).filter((one) => one !== "" && one !== undefined) : undefined),
    write,
    fail: (message) => (fill(error, message).hidden = !message),
  };
}
