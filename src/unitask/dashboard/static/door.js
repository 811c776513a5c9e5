/** Signing in by key. */

import { h } from "./kit/dom.js";
import { checkbox, field, form, input } from "./kit/form.js";

/** @param {(key: string, stay: boolean) => Promise<void>} enter @param {string} reason why the visitor is asked again */
export function door(enter, reason = "") {
  const key = input({ type: "password", autocomplete: "current-password", spellcheck: "false", autofocus: true });
  const stay = checkbox();
  const keyField = field({ label: "API key", control: key, hint: "The first key is printed when the server starts; unitask keys add makes more." });
  const send = async () => {
    keyField.setError("");
    if (!key.value.trim()) {
      keyField.setError("Enter a key.");
      key.focus();
      return;
    }
    await enter(key.value.trim(), stay.checked);
  };
  const stayField = field({ label: "Keep me signed in on this device", control: stay, check: true });
  const brand = h("h1", { tabindex: "-1" }, h("img", { src: "docs/icon.svg", alt: "", width: 36, height: 36 }), "Unitask");
  const lead = h("p", { class: "quiet" }, "Pictures, video, sound and 3D models from one server.");
  const why = reason && h("p", { class: "callout warn", role: "alert" }, reason);
  const card = h("div", { class: "card stack" }, brand, lead, why, form({ fields: [keyField, stayField], submit: "Sign in", send }));
  return h("main", { class: "door" }, h("div", {}, card));
}
