/** A 3D model that is turned by dragging or arrow keys, and brought nearer by wheel, pinch, plus and minus. */

import { fill, h } from "../kit/dom.js";
import { read } from "../kit/files.js";
import { parts } from "./glb.js";
import { scene } from "./scene.js";

const SIDE = 720;
const [NEAREST, FARTHEST] = [8, 0.4];
const KEYS = { ArrowLeft: [-0.15, 0, 1], ArrowRight: [0.15, 0, 1], ArrowUp: [0, -0.15, 1], ArrowDown: [0, 0.15, 1], "+": [0, 0, 1.15], "=": [0, 0, 1.15], "-": [0, 0, 1 / 1.15] };

/** @param {string} url of a GLB @param {AbortSignal} signal */
export function solid(url, signal) {
  const canvas = h("canvas", { class: "solid", width: SIDE, height: SIDE, tabindex: "0", role: "img", "aria-label": "3D model; arrow keys turn it, plus and minus bring it nearer" });
  const note = h("p", { class: "quiet small", role: "status" }, "Loading the 3D model…");
  open(canvas, url, signal).then(
    () => fill(note, "Drag or use the arrow keys to turn it; wheel, pinch, + and − to zoom."),
    (error) => {
      canvas.hidden = true;
      fill(note, `The model cannot be shown: ${error.message}`);
    },
  );
  return h("div", {}, canvas, note);
}

async function open(canvas, url, signal) {
  const file = await read(url, signal);
  const draw = await scene(canvas, parts(await file.arrayBuffer()));
  const eye = { turn: 0.5, tilt: 0.25, zoom: 1 };
  const move = (turn, tilt, zoom) => {
    eye.turn += turn;
    eye.tilt = Math.min(1.55, Math.max(-1.55, eye.tilt + tilt));
    eye.zoom = Math.min(NEAREST, Math.max(FARTHEST, eye.zoom * zoom));
    draw(eye);
  };
  draw(eye);
  canvas.dataset.drawn = "yes";
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    move(0, 0, Math.exp(-event.deltaY / 500));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault();
    move(...KEYS[event.key]);
  });
  byPointers(canvas, move);
}

/** One finger or the mouse turns; two fingers pinch. */
function byPointers(canvas, move) {
  const held = new Map();
  const spread = () => {
    const [a, b] = [...held.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const wide = held.size === 2 ? spread() : 0;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (held.size === 2) move(0, 0, spread() / Math.max(1, wide));
    else move((event.clientX - before.x) / 120, (event.clientY - before.y) / 120, 1);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => held.delete(event.pointerId));
}
