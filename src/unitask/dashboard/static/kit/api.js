/** The public HTTP API with the visitor's key: every call has a timeout, and every refusal its sentence. */

import { readEvents } from "./events.js";

const TIMEOUT_MS = 30_000;
const UPLOAD_MS = 15 * 60_000;

/** Where the server is: the page lies at `/dashboard` below it, maybe behind a proxy's path. */
export const SERVER = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** A call that failed; `status` is 0 where no answer came. The message is a sentence for the visitor, `field` what it is about. */
export class ApiError extends Error {
  constructor(message, status = 0, field = "") {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** Whether a call ended because its page was left. */
export const isAbort = (error) => error?.name === "AbortError";

/** Write a query; empty values are left out. */
export function query(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
}

/**
 * A client with a key.
 * @param {string} key
 * @param {(error: ApiError) => void} [onRefused] told of every 401
 */
export function client(key, onRefused = () => {}) {
  const auth = { "X-API-Key": key };

  async function send(method, path, { body, signal, headers = {}, timeout = TIMEOUT_MS } = {}) {
    const isForm = body instanceof FormData;
    const options = {
      method,
      headers: { ...auth, ...(body && !isForm ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body && !isForm ? JSON.stringify(body) : body,
    };
    const answer = await reach(`${SERVER}${path}`, options, signal, timeout);
    if (!answer.ok) {
      const error = await refusal(answer);
      if (error.status === 401) onRefused(error);
      throw error;
    }
    return answer;
  }

  /** Give the `data` of the envelope. */
  async function call(method, path, options = {}) {
    return (await (await send(method, path, options)).json()).data;
  }

  return {
    get: (path, options) => call("GET", path, options),
    post: (path, body, options) => call("POST", path, { ...options, body }),
    put: (path, body, options) => call("PUT", path, { ...options, body }),
    patch: (path, body, options) => call("PATCH", path, { ...options, body }),
    delete: (path, options) => call("DELETE", path, options),
    /** Read an answer that is no envelope, such as a CSV. */
    blob: async (path, options) => (await send("GET", path, options)).blob(),
    upload: (file, signal) => upload(call, file, signal),
    /** Follow a task by its events, each `{id, event, data}`, until its stream ends. */
    events: async function* events(path, { signal, lastId = "" } = {}) {
      const headers = lastId ? { "Last-Event-ID": lastId } : {};
      yield* readEvents(await send("GET", path, { signal, headers, timeout: 0 }));
    },
  };
}

async function reach(url, options, signal, timeout) {
  const signals = [signal, timeout ? AbortSignal.timeout(timeout) : null].filter(Boolean);
  try {
    return await fetch(url, { ...options, signal: signals.length ? AbortSignal.any(signals) : null });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error.name === "TimeoutError") {
      throw new ApiError(`The server did not answer within ${timeout / 1000} seconds. Try again in a moment.`);
    }
    throw new ApiError("The server cannot be reached. Check that it runs and that you are connected, then try again.");
  }
}

async function refusal(answer) {
  const text = await answer.text();
  try {
    const told = JSON.parse(text);
    if (told.message) return new ApiError(sentence(told.message), answer.status, FIELD.exec(told.message)?.[1] ?? "");
  } catch {
    // A proxy in between answers in its own words.
  }
  return new ApiError(`The server answered ${answer.status}: ${text.slice(0, 200) || answer.statusText}`, answer.status);
}

const FIELD = /\binput\.(\w+)/;

/** Write the API's words as a sentence; fields of the input go by the names they have in the form. */
export function sentence(message) {
  const text = message.replace(/^invalid request: /, "").replace(/^input\.([\w.]+)/, (_, name) => name.replaceAll(/[_.]/g, " ")).trim();
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended[0].toUpperCase() + ended.slice(1);
}

const SMALL_BYTES = 10 * 2 ** 20;

/** Bring a file to the server and give its address: a small one in one call, a large one by an address of its own. */
async function upload(call, file, signal) {
  if (file.size <= SMALL_BYTES) {
    const form = new FormData();
    form.append("file", file, file.name);
    return (await call("POST", "/api/ephemeral_resource", { body: form, signal, timeout: UPLOAD_MS })).url;
  }
  const order = { file_name: file.name, size_bytes: file.size };
  const place = await call("POST", "/api/v1/uploads", { body: order, signal });
  const options = { method: place.method, headers: place.headers, body: file };
  const answer = await reach(place.upload_url, options, signal, UPLOAD_MS);
  if (!answer.ok) throw await refusal(answer);
  return (await call("POST", `/api/v1/uploads/${place.id}/complete`, { signal })).url;
}
