/** A field for a file: drop it, choose it, or name its address. Small files travel inside the request, others are uploaded. */

import { fill, h, newId, prose } from "../kit/dom.js";
import { input } from "../kit/form.js";
import { bytes } from "../kit/format.js";
import { paint } from "./mask.js";
import { range } from "./schema.js";

const INSIDE_BYTES = 48 * 1024;
const ACCEPT = { image: "image/*", video: "video/*", audio: "audio/*" };
const NOUNS = { image: "a picture", video: "a video", audio: "a recording" };

/** Show a file as what it is. */
export function preview(kind, url) {
  if (kind === "video") return h("video", { src: url, controls: true, muted: true, preload: "metadata", "aria-label": "The chosen video" });
  if (kind === "audio") return h("audio", { src: url, controls: true, preload: "metadata", "aria-label": "The chosen recording" });
  return h("img", { src: url, alt: "The chosen picture" });
}

const dataUri = (file) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });

/** @returns a field as `order/fields.js` describes; `watch(see)` tells `see` of every new address */
export function media(label, schema, tools, required) {
  const kind = schema["x-media"];
  const ids = { file: newId("file"), label: newId("label"), error: newId("error") };
  const state = { value: "", watchers: [] };
  const error = h("p", { class: "error", id: ids.error, role: "alert", hidden: true });
  const status = h("p", { class: "small quiet", role: "status" });
  const shown = h("div", { class: "shown" });
  const address = input({ "aria-label": `${label}: address`, placeholder: "or paste an address: https://…", spellcheck: "false", onchange: () => take(address.value.trim()) });
  const chooser = h("input", { type: "file", id: ids.file, class: "unseen", accept: ACCEPT[kind], "aria-describedby": ids.error, onchange: () => chooser.files[0] && bring(chooser.files[0]) });
  const target = h("label", { class: "target", for: ids.file }, h("b", {}, `Drop ${NOUNS[kind]} here`), h("span", { class: "quiet small" }, `or choose a file, ${range(schema)}`));
  const fail = (message) => (fill(error, message).hidden = !message);

  function take(value) {
    state.value = value;
    fail("");
    const isAddress = /^https?:/.test(value);
    address.value = isAddress ? value : "";
    draw();
    for (const see of state.watchers) see(value);
    tools.changed();
  }

  async function bring(file) {
    fail("");
    if (file.size > schema["x-limit-bytes"]) return fail(`${file.name} is ${bytes(file.size)}; at most ${bytes(schema["x-limit-bytes"])} go here.`);
    fill(status, `Bringing ${file.name}…`);
    tools.busy(1);
    try {
      take(file.size <= INSIDE_BYTES ? await dataUri(file) : await tools.api.upload(file, tools.signal));
      fill(status, `${file.name}, ${bytes(file.size)}`);
    } catch (refused) {
      fill(status);
      fail(refused.message);
    } finally {
      tools.busy(-1);
      chooser.value = "";
    }
    return undefined;
  }

  function draw() {
    const remove = h("button", { type: "button", class: "slim", onclick: () => (fill(status), take("")) }, "Remove");
    const brush = schema["x-painted"] && h("button", { type: "button", class: "slim main", onclick: () => region() }, "Paint the region");
    target.hidden = Boolean(state.value);
    fill(shown, state.value && preview(kind, state.value), state.value && h("div", { class: "row" }, brush, remove));
  }

  async function region() {
    try {
      const painted = await paint(state.value);
      if (painted) await bring(new File([painted], "region.png", { type: "image/png" }));
    } catch (refused) {
      fail(refused.message);
    }
  }

  const box = h("div", { class: "media" }, chooser, target, shown, address, status);
  dropped(box, bring);
  const name = h("span", { class: "label", id: ids.label }, label, required && h("span", { class: "quiet" }, " (required)"));
  return {
    element: h("div", { class: "field", role: "group", "aria-labelledby": ids.label }, name, box, schema.description && h("p", { class: "hint" }, prose(schema.description)), error),
    read: () => state.value || (required ? "" : undefined),
    write: (value) => (fill(status), take(value ?? "")),
    fail,
    watch: (see) => (state.watchers.push(see), see(state.value)),
  };
}

function dropped(box, bring) {
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    box.classList.add("over");
  };
  box.addEventListener("dragenter", over);
  box.addEventListener("dragover", over);
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    if (event.dataTransfer.files[0]) bring(event.dataTransfer.files[0]);
  });
}
