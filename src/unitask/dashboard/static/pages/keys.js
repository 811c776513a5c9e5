/** The account's keys: list, make, rotate, revoke. */

import { query } from "../kit/api.js";
import { fill, h } from "../kit/dom.js";
import { keyForm, keyTable, secretCard, sureToRevoke, sureToRotate } from "../kit/keys.js";
import { empty } from "../kit/parts.js";

const SCOPES = ["tasks", "files", "account"];
const PAGE = 100;
const PAGES = 20;

export async function render(root, { api, session, signal, heading, fail, notify }) {
  heading.lead("Whoever has a key can order in the name of this account. Give every program its own.");
  const shown = h("div", { "aria-live": "polite" });
  const list = h("div", { class: "stack" });
  const making = h("details", { class: "card flat" }, h("summary", {}, "Make a key"), h("div", { class: "inside" }, keyForm({ scopes: SCOPES, make })));
  fill(root, h("div", { class: "stack" }, shown, making, list));

  async function refresh() {
    const keys = await all(api, signal);
    fill(list, keys.length ? keyTable(keys, { mine: session.key, rotate, revoke }) : empty("No keys"));
  }
  async function make(body) {
    fill(shown, secretCard(await api.post("/api/v1/keys", body)));
    making.open = false;
    await refresh();
    shown.scrollIntoView({ block: "nearest" });
  }
  async function rotate(key) {
    if (!(await sureToRotate(key))) return;
    await attempt(async () => fill(shown, secretCard(await api.post(`/api/v1/keys/${key.id}/rotate`, {}))));
  }
  async function revoke(key) {
    if (!(await sureToRevoke(key))) return;
    await attempt(async () => {
      await api.delete(`/api/v1/keys/${key.id}`);
      notify("The key is revoked.");
    });
  }
  async function attempt(act) {
    try {
      await act();
      await refresh();
    } catch (error) {
      fail(error);
    }
  }
  await refresh();
}

/** Read every key, newest first. */
async function all(api, signal) {
  const found = [];
  let cursor = "";
  for (let page = 0; page < PAGES; page += 1) {
    const part = await api.get(`/api/v1/keys${query({ limit: PAGE, cursor })}`, { signal });
    found.push(...part.keys);
    cursor = part.next_cursor;
    if (!cursor) break;
  }
  return found.reverse();
}
