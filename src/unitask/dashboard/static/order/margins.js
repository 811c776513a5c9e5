/** Handles on the four sides of a picture: how far it is continued. */

import { h } from "../kit/dom.js";

const SIDES = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] };
const VIEW_PX = 320;
const BESIDE_PX = 44;
const STEP_PX = 16;

/**
 * Draw the picture with its margins, where the schema says by `x-margins` which field has the picture.
 * @param {any} inner the field of the object that has the margins @returns {HTMLElement | null}
 */
export function margins(inner, schema, tools) {
  if (!schema["x-margins"]) return null;
  const names = Object.fromEntries(Object.keys(SIDES).map((side) => [side, Object.keys(schema.properties).find((name) => name.endsWith(`_${side}`))]));
  const most = schema.properties[names.left].maximum;
  const picture = h("img", { alt: "The picture that is continued" });
  const frame = h("div", { class: "margins", hidden: true });
  const value = (side) => Number(inner.read()[names[side]] ?? 0) || 0;
  const set = (side, pixels) => {
    inner.write({ ...inner.read(), [names[side]]: Math.round(Math.min(most, Math.max(0, pixels))) || undefined });
    tools.changed();
    draw();
  };
  const handles = Object.keys(SIDES).map((side) => handle(side, value, set, most, () => frame.scale));
  const place = h("div", { class: "margins-place" }, frame);
  frame.append(picture, ...handles);

  function draw() {
    frame.hidden = !picture.naturalWidth;
    if (frame.hidden) return;
    const [wide, high] = [picture.naturalWidth, picture.naturalHeight];
    const span = Math.max(wide + value("left") + value("right"), high + value("top") + value("bottom"), 1.6 * Math.max(wide, high));
    frame.scale = Math.min(VIEW_PX, (place.clientWidth || VIEW_PX) - BESIDE_PX) / span;
    const px = (length) => `${length * frame.scale}px`;
    const pads = ["top", "right", "bottom", "left"].map((side) => px(value(side)));
    frame.style.setProperty("padding", pads.join(" "));
    picture.style.setProperty("width", px(wide));
    picture.style.setProperty("height", px(high));
    handles.forEach((one) => one.show());
  }

  picture.addEventListener("load", draw);
  inner.element.addEventListener("input", draw);
  tools.beside(schema["x-margins"])?.watch((url) => {
    if (url) picture.src = url;
    else picture.removeAttribute("src");
    draw();
  });
  return place;
}

function handle(side, value, set, most, scale) {
  const [x, y] = SIDES[side];
  const one = h("div", { class: `handle ${side}`, tabindex: "0", role: "slider", "aria-label": `Pixels added: ${side}`, "aria-orientation": x ? "horizontal" : "vertical", "aria-valuemin": 0, "aria-valuemax": most });
  one.show = () => one.setAttribute("aria-valuenow", value(side));
  let from = null;
  one.addEventListener("pointerdown", (event) => {
    one.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, value: value(side), scale: scale() };
    event.preventDefault();
    one.focus();
  });
  one.addEventListener("pointermove", (event) => {
    if (!from) return;
    const moved = (event.clientX - from.x) * x + (event.clientY - from.y) * y;
    set(side, from.value + (2 * moved) / from.scale);
  });
  one.addEventListener("pointerup", () => (from = null));
  one.addEventListener("keydown", (event) => {
    const outwards = { ArrowRight: x, ArrowLeft: -x, ArrowDown: y, ArrowUp: -y }[event.key];
    if (!outwards) return;
    event.preventDefault();
    set(side, value(side) + outwards * STEP_PX);
  });
  one.show();
  return one;
}
