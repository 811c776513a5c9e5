/** A recording with its waveform: a click or the arrow keys go to a place in it. */

import { h } from "../kit/dom.js";
import { read } from "../kit/files.js";
import { seconds } from "../kit/format.js";

const BARS = 160;
const HEIGHT = 72;
const STEP_S = 5;
const MOST_BYTES = 64 * 2 ** 20;

/** @param {string} url @param {AbortSignal} signal */
export function sound(url, signal) {
  const player = h("audio", { src: url, controls: true, preload: "metadata", "aria-label": "The recording" });
  const canvas = h("canvas", { class: "wave", width: BARS * 4, height: HEIGHT, tabindex: "0", role: "slider", "aria-label": "Place in the recording", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 });
  const note = h("p", { class: "quiet small", hidden: true });
  const state = { peaks: null };
  const share = () => (player.duration ? player.currentTime / player.duration : 0);
  const go = (time) => {
    if (Number.isFinite(player.duration)) player.currentTime = Math.min(player.duration, Math.max(0, time));
  };
  const paint = () => {
    canvas.setAttribute("aria-valuenow", Math.round(share() * 100));
    canvas.setAttribute("aria-valuetext", `${seconds(player.currentTime)} of ${seconds(player.duration || 0)}`);
    if (state.peaks) drawn(canvas, state.peaks, share());
  };
  canvas.addEventListener("click", (event) => go((player.duration * event.offsetX) / canvas.clientWidth));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: STEP_S, ArrowLeft: -STEP_S }[event.key];
    if (!step) return;
    event.preventDefault();
    go(player.currentTime + step);
  });
  for (const event of ["timeupdate", "seeked", "loadedmetadata"]) player.addEventListener(event, paint);
  peaks(url, signal).then(
    (found) => {
      state.peaks = found;
      canvas.dataset.drawn = "yes";
      paint();
    },
    (error) => {
      canvas.hidden = true;
      note.textContent = `No waveform: ${error.message}`;
      note.hidden = false;
    },
  );
  return h("div", { class: "sound" }, canvas, player, note);
}

/** The loudest sample of each of `BARS` equal parts, 0 to 1. */
async function peaks(url, signal) {
  const file = await read(url, signal);
  if (file.size > MOST_BYTES) throw new Error("the recording is too long to draw.");
  const context = new OfflineAudioContext(1, 1, 44100);
  const decoded = await context.decodeAudioData(await file.arrayBuffer());
  const samples = decoded.getChannelData(0);
  const length = Math.max(1, Math.floor(samples.length / BARS));
  const found = Array.from({ length: BARS }, (_, part) => {
    let most = 0;
    for (let i = part * length; i < Math.min(samples.length, (part + 1) * length); i += 1) most = Math.max(most, Math.abs(samples[i]));
    return most;
  });
  const loudest = Math.max(...found, 1e-6);
  return found.map((one) => one / loudest);
}

function drawn(canvas, parts, played) {
  const view = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  view.clearRect(0, 0, canvas.width, canvas.height);
  parts.forEach((part, i) => {
    const high = Math.max(2, part * (HEIGHT - 4));
    view.fillStyle = i / BARS < played ? style.getPropertyValue("accent-color") : style.color;
    view.fillRect(i * 4, (HEIGHT - high) / 2, 2.5, high);
  });
}
