/** Bars by day as SVG, with a legend and the same numbers as a table. */

import { fill, h, newId } from "./dom.js";
import { table } from "./parts.js";

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 220;
const EDGE = { top: 10, right: 4, bottom: 24, left: 56 };
const TICKS = 4;
const LABEL_PX = 64;
const SERIES = 6;
const LEAST_PX = 240;

/** Build an SVG element. */
function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A round number not below `value`: 1, 2, 2.5 or 5 times a power of ten. */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= value * (1 - 1e-9));
}

/** The largest series by themselves, the rest as one. @param {{name: string, values: number[]}[]} series */
export function largest(series) {
  const sum = (one) => one.values.reduce((all, value) => all + value, 0);
  const sorted = series.filter((one) => sum(one) > 0).sort((a, b) => sum(b) - sum(a));
  if (sorted.length <= SERIES) return sorted;
  const [kept, rest] = [sorted.slice(0, SERIES - 1), sorted.slice(SERIES - 1)];
  return [...kept, { name: "Others", values: rest[0].values.map((_, i) => rest.reduce((all, one) => all + one.values[i], 0)) }];
}

/**
 * Stacked bars, one for each day.
 * @param {{title: string, days: string[], series: {name: string, values: number[], kind?: string}[], write: (value: number) => string, least?: number}} options
 *   `kind` is the class of its colour; `least` is the smallest step of the scale.
 */
export function bars({ title, days, series, write, least = 0 }) {
  const id = newId("chart");
  const drawing = h("div", { class: "drawing" });
  const kind = (i) => series[i].kind ?? `series-${i}`;
  const legend = h("ul", { class: "legend" }, ...series.map((one, i) => h("li", {}, h("i", { class: kind(i) }), one.name)));
  const draw = (width) => fill(drawing, picture({ title, days, series, write, least, kind, width }));
  const watch = new ResizeObserver(([{ contentRect: { width } }]) => width && draw(Math.max(LEAST_PX, Math.round(width))));
  watch.observe(drawing);
  const heading = h("h2", { id }, title);
  return h("figure", { class: "card flat chart stack", "aria-labelledby": id }, heading, drawing, legend, numbers(title, days, series, write));
}

function picture({ title, days, series, write, least, kind, width }) {
  const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const totals = days.map((_, day) => series.reduce((all, one) => all + one.values[day], 0));
  const step = Math.max(least, roundUp(Math.max(...totals) / TICKS));
  const most = step * Math.max(1, Math.ceil(Math.max(...totals) / step - 1e-9));
  const y = (value) => EDGE.top + inner.height * (1 - value / most);
  const pitch = inner.width / days.length;
  const image = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${title}. The table below has the numbers.` });
  for (let value = 0; value <= most + step / 2; value += step) image.append(...tick(write(value), y(value), width));
  days.forEach((day, i) => image.append(column({ day, i, series, write, kind, y, left: EDGE.left + pitch * i, pitch })));
  const every = Math.max(1, Math.ceil(LABEL_PX / pitch));
  days.forEach((day, i) => {
    if (i % every) return;
    const label = svg("text", { x: EDGE.left + pitch * (i + 0.5), y: HEIGHT - 6, "text-anchor": "middle" }, day.slice(5));
    image.append(label);
  });
  return image;
}

function tick(words, y, width) {
  const line = svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y });
  return [line, svg("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, words)];
}

function column({ day, i, series, write, kind, y, left, pitch }) {
  const width = Math.max(1, Math.min(pitch - 2, 40));
  let sum = 0;
  const parts = series.map((one, place) => {
    const [from, to] = [y(sum), y((sum += one.values[i]))];
    return svg("rect", { class: kind(place), x: left + (pitch - width) / 2, y: to, width, height: Math.max(0, from - to) });
  });
  const told = series.filter((one) => one.values[i]).map((one) => `${one.name}: ${write(one.values[i])}`);
  return svg("g", {}, svg("title", {}, [day, ...told].join("\n")), ...parts);
}

function numbers(title, days, series, write) {
  const columns = ["Day", ...series.map((one) => ({ title: one.name, number: true }))];
  const kept = days.map((day, i) => [day, i]).filter(([, i]) => series.some((one) => one.values[i]));
  const rows = kept.map(([day, i]) => [day, ...series.map((one) => write(one.values[i]))]);
  return h("details", {}, h("summary", {}, "Numbers"), rows.length ? table(columns, rows, title) : h("p", { class: "quiet" }, "Nothing in this time."));
}
