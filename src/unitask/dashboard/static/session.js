/** Who is signed in: a key, kept for this tab or, if wished, for this browser; and what it may do. */

import { client } from "./kit/api.js";

const NAME = "unitask.key";
/** For each scope a cheap call that only it allows. */
const PROBES = { tasks: "/api/v1/task?limit=1", account: "/account/info", admin: "/api/v1/admin/plans" };

export const keptKey = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";

export function keepKey(key, stay) {
  forgetKey();
  (stay ? localStorage : sessionStorage).setItem(NAME, key);
}

export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

/**
 * Find out what a key may do.
 * @returns {Promise<{key: string, api: any, scopes: Set<string>, account: any}>} `account` is null without the scope account
 * @throws {import("./kit/api.js").ApiError} the key opens nothing, or the server is away
 */
export async function open(key, onRefused) {
  const probe = client(key);
  const names = Object.keys(PROBES);
  const found = await Promise.allSettled(names.map((name) => probe.get(PROBES[name])));
  const scopes = new Set(names.filter((_, i) => found[i].status === "fulfilled"));
  const refused = found.map((one) => one.reason).filter((error) => error && error.status !== 403);
  const broken = refused.find((error) => error.status !== 401);
  if (broken || scopes.size === 0) throw broken ?? refused[0] ?? found[0].reason;
  const account = found[names.indexOf("account")];
  return { key, api: client(key, onRefused), scopes, account: account.status === "fulfilled" ? account.value : null };
}
