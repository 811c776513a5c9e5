/** A painter for the region that is to be made anew. What is painted becomes pure white, what was pure white before stays so. */

import { h, newId } from "../kit/dom.js";
import { read } from "../kit/files.js";
import { checkbox, field, input } from "../kit/form.js";

const HALF = 127;
const STEP = 0.02;

/** @param {string} url the picture @returns {Promise<Blob | null>} the picture with the region, as PNG; null where the visitor turned back */
export async function paint(url) {
  const picture = await createImageBitmap(await read(url));
  return new Promise((decide) => {
    const painter = paintable(picture);
    const id = newId("title");
    const done = (value) => h("button", { type: "button", class: value ? "main" : "", onclick: () => dialog.close(value) }, value ? "Use this region" : "Go back");
    const dialog = h(
      "dialog",
      { class: "painter", "aria-labelledby": id },
      h("div", { class: "stack" }, h("h2", { id }, "Paint what is to be made anew"), h("p", { class: "quiet small" }, "Drag over the picture. By keyboard: arrow keys move the brush, Space paints."), painter.canvas, painter.tools, h("div", { class: "row" }, done("yes"), done(""))),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue === "yes") painted(picture, painter.mask).then(decide);
      else decide(null);
    });
    document.body.append(dialog);
    dialog.showModal();
    painter.canvas.focus();
  });
}

/** Lay the mask over the picture, without the soft edges that a canvas draws. */
async function painted(picture, mask) {
  const { width, height } = picture;
  const whole = new OffscreenCanvas(width, height).getContext("2d");
  whole.drawImage(picture, 0, 0);
  const pixels = whole.getImageData(0, 0, width, height);
  const over = mask.getContext("2d").getImageData(0, 0, width, height).data;
  for (let at = 0; at < over.length; at += 4) {
    if (over[at + 3] > HALF) pixels.data.fill(255, at, at + 4);
  }
  whole.putImageData(pixels, 0, 0);
  return whole.canvas.convertToBlob({ type: "image/png" });
}

function paintable(picture) {
  const { width, height } = picture;
  const mask = new OffscreenCanvas(width, height);
  const pen = mask.getContext("2d");
  const canvas = h("canvas", { width, height, tabindex: "0", role: "application", "aria-label": "Picture to paint on; arrow keys move the brush, Space paints" });
  const size = input({ type: "range", min: "1", max: "30", value: "8" });
  const erase = checkbox();
  const at = { x: width / 2, y: height / 2, shown: false };
  const radius = () => (Math.max(width, height) * Number(size.value)) / 200;

  function draw() {
    const view = canvas.getContext("2d");
    view.drawImage(picture, 0, 0);
    view.globalAlpha = 0.8;
    view.drawImage(mask, 0, 0);
    view.globalAlpha = 1;
    if (!at.shown) return;
    view.beginPath();
    view.arc(at.x, at.y, radius(), 0, 2 * Math.PI);
    view.lineWidth = Math.max(1, width / 300);
    view.strokeStyle = "#4b45d6";
    view.stroke();
  }

  function stroke(from) {
    pen.globalCompositeOperation = erase.checked ? "destination-out" : "source-over";
    pen.strokeStyle = "#ffffff";
    pen.lineCap = "round";
    pen.lineWidth = 2 * radius();
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(at.x + 0.01, at.y);
    pen.stroke();
    draw();
  }

  byPointer(canvas, at, stroke, draw);
  byKeys(canvas, at, stroke, draw);
  const clear = h("button", { type: "button", class: "slim", onclick: () => (pen.clearRect(0, 0, width, height), draw()) }, "Clear");
  const tools = h("div", { class: "row" }, field({ label: "Brush", control: size }), field({ label: "Erase", control: erase, check: true }), clear);
  draw();
  return { canvas, mask, tools };
}

function byPointer(canvas, at, stroke, draw) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const before = { x: at.x, y: at.y };
    at.x = ((event.clientX - box.left) / box.width) * canvas.width;
    at.y = ((event.clientY - box.top) / box.height) * canvas.height;
    at.shown = true;
    return before;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    place(event);
    stroke(at);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = place(event);
    if (event.buttons) stroke(before);
    else draw();
  });
}

function byKeys(canvas, at, stroke, draw) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    const before = { x: at.x, y: at.y };
    at.shown = true;
    if (step) {
      const length = STEP * Math.max(canvas.width, canvas.height);
      at.x = Math.min(canvas.width, Math.max(0, at.x + step[0] * length));
      at.y = Math.min(canvas.height, Math.max(0, at.y + step[1] * length));
    }
    if (event.key === " " || event.shiftKey) stroke(before);
    else draw();
  });
}
