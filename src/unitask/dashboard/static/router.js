/** Addresses behind the #: `#/history?status=failed` is the page `history`, `#/task/ID` the page `task` with one part more. */

/** @returns {{path: string, parts: string[], query: URLSearchParams}} */
export function address(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [first, ...parts] = path.split("/").map(plain);
  return { path: first, parts, query: new URLSearchParams(query) };
}

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Write an address: `link("task", id)`, `link("history", {status: "failed"})`. */
export function link(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const kept = Object.entries(query).filter(([, value]) => value);
  const text = parts.map(encodeURIComponent).join("/");
  return `#/${text}${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
}

/** Go to a page. */
export const go = (...parts) => {
  location.hash = link(...parts);
};

/** Change the query of this page without drawing it again, so that the address can be kept and sent. */
export function keepQuery(values) {
  const { path, parts } = address();
  history.replaceState(null, "", link(path, ...parts, values));
}
