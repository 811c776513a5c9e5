/** Pools of workers on Ray, as their controllers see them. */

import { h } from "./dom.js";
import { count, seconds } from "./format.js";
import { badge, table } from "./parts.js";

const KIND = { running: "good", pending: "", draining: "info", restarting: "warn", failing: "bad" };
const STATES = Object.keys(KIND);

/** A section for each cluster; none where nobody runs a controller. */
export const clusters = (found) => found.map(section);

function section(one) {
  const words = `${count(one.nodes)} nodes of Ray, Unitask ${one.version}`;
  const head = h("div", { class: "row apart" }, h("h2", {}, `Cluster ${one.name}`), h("span", { class: "quiet small" }, words));
  return h("section", { class: "stack", "aria-label": `Cluster ${one.name}` }, head, pools(one), actors(one));
}

function pools(one) {
  const columns = ["Pool", ...["Wanted", "At most", "Waiting", "Oldest waits", "Processing"].map((title) => ({ title, number: true })), "Workers"];
  const rows = one.pools.map((pool) => [
    pool.name,
    count(pool.wanted),
    count(pool.most),
    count(pool.waiting),
    seconds(pool.oldest_s),
    count(pool.processing),
    h("div", { class: "row tight" }, ...states(pool)),
  ]);
  return table(columns, rows, `Pools of cluster ${one.name}`);
}

function states(pool) {
  const found = STATES.map((state) => [state, pool.actors.filter((actor) => actor.state === state).length]).filter(([, number]) => number);
  return found.length ? found.map(([state, number]) => badge(`${number} ${state}`, KIND[state])) : [badge("none")];
}

function actors(one) {
  const rows = one.pools.flatMap((pool) =>
    pool.actors.map((actor) => [
      pool.name,
      h("span", { class: "mono" }, actor.id),
      badge(actor.state, KIND[actor.state]),
      count(actor.tasks),
      actor.node,
      actor.worker,
      count(actor.restarts),
      actor.note,
    ]),
  );
  if (!rows.length) return "";
  const columns = ["Pool", "Actor", "State", { title: "Tasks", number: true }, "Node", "Worker", { title: "Restarts", number: true }, "Note"];
  return table(columns, rows, `Actors of cluster ${one.name}`);
}
