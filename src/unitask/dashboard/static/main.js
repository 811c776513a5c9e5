/** The start: who comes with a key that works sees the pages, everyone else the door. */

import { door } from "./door.js";
import { fill, h } from "./kit/dom.js";
import { forgetKey, keepKey, keptKey, open } from "./session.js";
import { shell } from "./shell.js";

const app = document.getElementById("app");
let inside = null;

function leave(reason = "") {
  forgetKey();
  inside?.close();
  inside = null;
  document.title = "Sign in · Unitask";
  fill(app, door(async (key, stay) => enter(key, () => keepKey(key, stay)), reason));
}

async function enter(key, then = () => {}) {
  const session = await open(key, () => leave("This key no longer works. Sign in with another one."));
  then();
  inside = shell(session, () => leave());
  fill(app, inside.element);
}

async function start() {
  const key = keptKey();
  if (!key) return leave();
  try {
    await enter(key);
  } catch (error) {
    if (error.status === 401) return leave("This key no longer works. Sign in with another one.");
    const again = h("button", { type: "button", class: "main", onclick: start }, "Try again");
    fill(app, h("main", { class: "door" }, h("div", { class: "card stack" }, h("p", { role: "alert" }, error.message), again)));
  }
}

start();
