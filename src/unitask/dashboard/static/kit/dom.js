/** Building elements. Data becomes text nodes, never markup. */

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "indeterminate", "open", "muted"]);

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * Build an element.
 * @param {string} tag
 * @param {Record<string, unknown>} props `on...` are listeners, `style` and `dataset` are objects; null and false are left out.
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  element.append(...nodes(children));
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || (value === false && !PROPERTIES.has(name))) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [one, to] of Object.entries(value)) element.style.setProperty(one, to);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (PROPERTIES.has(name)) element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((one) => one !== null && one !== undefined && one !== false)
    .map((one) => (one instanceof Node ? one : String(one)));
}

/** Put these in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Write a sentence of the catalogue: what stands between backticks is code. @returns {(Node | string)[]} */
export const prose = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

let number = 0;

/** Give an id that nothing else on the page has. */
export function newId(word = "id") {
  number += 1;
  return `${word}-${number}`;
}

/** Call `act` once `ms` milliseconds after the last call of what this gives. */
export function later(act, ms) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), ms);
  };
}

/** Call `act` now and every `ms` milliseconds while the page is seen, until `signal` is aborted. One call at a time. */
export function every(ms, signal, act) {
  let timer = 0;
  const turn = async () => {
    if (!document.hidden) await act();
    if (!signal.aborted) timer = setTimeout(turn, ms);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return turn();
}
