/** Small pieces of pages about numbers. */

import { h } from "./dom.js";

/** A number with its name, and a few words about it. */
export const tile = (name, value, note = "") =>
  h("div", { class: "card flat tile" }, h("span", { class: "quiet small" }, name), h("b", {}, value), note && h("span", { class: "quiet small" }, note));

/** A text that is not broken into lines. */
export const whole = (text) => h("span", { class: "whole" }, text);
