/** Numbers, money and times as people read them. */

const POINTS_PER_USD = 10_000_000;
const UNSET = "0001-01-01T00:00:00Z";

const whole = new Intl.NumberFormat("en");
const dateTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const dateAlone = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** 1234567 -> "1,234,567" */
export const count = (value) => whole.format(value);

/** Points as dollars, down to the last digit that is not zero: 200000 -> "$0.02" */
export function usd(points) {
  const text = (Math.abs(points) / POINTS_PER_USD).toFixed(7).replace(/0{1,5}$/, "");
  const [before, after] = text.split(".");
  return `${points < 0 ? "−" : ""}$${whole.format(Number(before))}.${after}`;
}

/** What an account may still spend: only one without a limit can go below nothing. */
export const available = (points) => (points < 0 ? "No limit" : usd(points));

/** Points with their worth: "200,000 points ($0.02)" */
export const money = (points) => `${count(points)} points (${usd(points)})`;

/** Parse a time of the API; null where it is unset. */
export const moment = (text) => (text && text !== UNSET ? new Date(text) : null);

/** "21 Nov 2026, 21:50"; a dash where there is none */
export function when(text) {
  const time = moment(text);
  return time ? dateTime.format(time) : "–";
}

/** "21 Nov 2026" */
export const day = (text) => dateAlone.format(moment(text));

/** "3 minutes ago" */
export function ago(text, now = Date.now()) {
  const time = moment(text);
  if (!time) return "–";
  const s = (time.getTime() - now) / 1000;
  const [unit, length] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, one]) => Math.abs(s) >= one) ?? ["second", 1];
  return relative.format(Math.round(s / length), unit);
}

/** Seconds as "850 ms", "4.2 s", "3 min 20 s", "2 h 5 min" */
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${Number(value.toFixed(value < 10 ? 1 : 0))} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min${Math.round(value % 60) ? ` ${Math.round(value % 60)} s` : ""}`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Seconds between two times of the API; null while one is unset */
export function between(from, to) {
  const [start, end] = [moment(from), moment(to)];
  return start && end ? (end.getTime() - start.getTime()) / 1000 : null;
}

/** 1536 -> "1.5 KiB" */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${Number((value / 2 ** (10 * power)).toFixed(1))} ${units[power]}`;
}

/** "image_toolkit" -> "Image toolkit" */
export function words(name) {
  const text = String(name).replace(/[_-]+/g, " ").trim();
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}
