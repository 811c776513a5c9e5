/** What a task made, as people look at it, with an honest word on how real it is. */

import { h } from "../kit/dom.js";
import { nameOf, saving } from "../kit/files.js";
import { copyButton } from "../kit/parts.js";
import { sound } from "./sound.js";
import { solid } from "./solid.js";

const KINDS = [
  ["model", /\.(glb|gltf)$/i],
  ["video", /\.(mp4|webm|mov|mkv)$/i],
  ["sound", /\.(wav|mp3|flac|ogg|m4a|opus)$/i],
  ["picture", /\.(png|jpe?g|webp|gif|avif|bmp|tiff?)$/i],
];
const STAND_IN = "Preview: a stand-in of the right size and format, not the model's work.";

const kindOf = (url) => KINDS.find(([, ending]) => ending.test(url.split(/[?#]/)[0]))?.[0] ?? "file";

/** All addresses in a document, each once. @returns {string[]} */
export function addresses(value) {
  if (typeof value === "string") return /^https?:\/\//.test(value) ? [value] : [];
  if (value && typeof value === "object") return [...new Set(Object.values(value).flatMap(addresses))];
  return [];
}

/** The pictures and films that a task was given, by the media fields of its product. */
function given(task, product) {
  const fields = Object.entries(product?.input_schema.properties ?? {});
  return fields.filter(([, schema]) => schema["x-media"]).map(([name]) => task.input[name]).filter((url) => typeof url === "string" && /^(https?:|data:image)/.test(url));
}

/** @param {any} task that is completed @param {any} product or undefined @param {AbortSignal} signal */
export function results(task, product, signal) {
  const made = addresses(task.output);
  const before = given(task, product).filter((url) => kindOf(url) === "picture" || url.startsWith("data:image"));
  const level = task.meta.engine_level;
  const label = level === "preview" && h("p", { class: "callout warn small" }, STAND_IN);
  const films = made.some((url) => ["picture", "video"].includes(kindOf(url)));
  const inputs = films ? before.map((url) => h("figure", { class: "result" }, h("img", { class: "checks", src: url, alt: "Input of the task", loading: "lazy" }), h("figcaption", { class: "quiet small" }, "Input"))) : [];
  const outputs = made.map((url) => output(url, task, signal));
  return h("div", { class: "stack" }, h("div", { class: `results ${inputs.length + outputs.length > 1 ? "several" : ""}` }, ...inputs, ...outputs), label);
}

function output(url, task, signal) {
  const kind = kindOf(url);
  const name = `Result: ${task.input?.prompt ?? nameOf(url)}`;
  const shown = {
    picture: () => h("a", { href: url, target: "_blank", rel: "noreferrer" }, h("img", { class: "checks", src: url, alt: name, loading: "lazy" })),
    video: () => h("video", { src: url, controls: true, loop: true, playsinline: true, preload: "metadata", "aria-label": name }),
    sound: () => sound(url, signal),
    model: () => solid(url, signal),
    file: () => h("p", {}, h("a", { href: url }, nameOf(url))),
  }[kind]();
  const buttons = h("div", { class: "row" }, h("a", { class: "button slim", href: saving(url), download: nameOf(url) }, "Download"), copyButton(() => url, "Copy address"));
  return h("figure", { class: "result" }, shown, h("figcaption", { class: "row apart" }, h("span", { class: "quiet small" }, `Made by ${task.meta.engine}, level ${task.meta.engine_level}`), buttons));
}
