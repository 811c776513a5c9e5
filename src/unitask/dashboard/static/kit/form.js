/** Labelled fields: every control has a label, a hint and a place for its error, all tied together for screen readers. */

import { fill, h, newId } from "./dom.js";

/**
 * Put a label round a control.
 * @param {{label: string, hint?: any, control: HTMLElement, check?: boolean}} options
 * @returns {HTMLElement & {setError(message: string): void}}
 */
export function field({ label, hint = "", control, check = false, required = false }) {
  control.id ||= newId("field");
  const [hintId, errorId] = [`${control.id}-hint`, `${control.id}-error`];
  const error = h("p", { class: "error", id: errorId, hidden: true });
  const name = h("label", { for: control.id }, label, required && h("span", { class: "quiet" }, " (required)"));
  const note = hint && h("p", { class: "hint", id: hintId }, hint);
  if (hint) control.setAttribute("aria-describedby", hintId);
  const parts = check ? [control, name, note, error] : [name, control, note, error];
  const whole = h("div", { class: check ? "field check" : "field" }, ...parts);
  whole.setError = (message) => {
    fill(error, message).hidden = !message;
    control.setAttribute("aria-invalid", String(Boolean(message)));
    control.setAttribute("aria-describedby", [hint && hintId, message && errorId].filter(Boolean).join(" "));
  };
  return whole;
}

/** A line of text. `props` go to the input. */
export const input = (props = {}) => h("input", { type: "text", autocomplete: "off", ...props });

/**
 * A choice of one.
 * @param {(string | [string, string])[]} options values, or pairs of value and what is shown
 */
export function select(options, props = {}) {
  const { value, ...rest } = props;
  const pairs = options.map((one) => (Array.isArray(one) ? one : [one, one]));
  const element = h("select", rest, ...pairs.map(([key, shown]) => h("option", { value: key }, shown)));
  if (value !== undefined) element.value = value;
  return element;
}

/** A box to tick. */
export const checkbox = (props = {}) => h("input", { type: "checkbox", ...props });

/**
 * A form that is sent by button or Enter; while `send` runs its button rests, and what it throws is shown in the form.
 * @param {{fields: any[], submit: string, send: () => Promise<void>, more?: any[]}} options
 */
export function form({ fields, submit, send, more = [] }) {
  const error = h("p", { class: "callout bad", role: "alert", hidden: true });
  const button = h("button", { class: "main", type: "submit" }, submit);
  const onsubmit = async (event) => {
    event.preventDefault();
    error.hidden = true;
    button.disabled = true;
    try {
      await send();
    } catch (refused) {
      fill(error, refused.message).hidden = false;
    } finally {
      button.disabled = false;
    }
  };
  return h("form", { class: "stack", novalidate: true, onsubmit }, ...fields, error, h("div", { class: "row" }, button, ...more));
}
