/** Following a task until it has ended: by its events while there are connections to spare, else by asking again. */

import { isAbort } from "../kit/api.js";

// A browser opens six connections to a server; calls need some of them.
const MOST_STREAMS = 3;
const POLL_MS = 1500;
const REFRESH_MS = 4000;
let streams = 0;

export const isFinal = (task) => task.status === "completed" || task.status === "failed";

const pause = (ms, signal) =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });

/**
 * Call `see` with the task whenever something about it is new.
 * @param {any} api @param {any} task as an answer of the API shows it
 * @param {AbortSignal} signal @param {(task: any) => void} see
 * @returns {Promise<any>} the task when it has ended
 */
export async function follow(api, task, signal, see) {
  const at = { task, lastId: "", read: Date.now() };
  while (!isFinal(at.task) && !signal.aborted) {
    try {
      if (streams < MOST_STREAMS) await byEvents(api, at, signal, see);
      else await byAsking(api, at, signal, see);
    } catch (error) {
      if (isAbort(error) || error.status === 404 || error.status === 401) break;
      await pause(POLL_MS, signal);
      await byAsking(api, at, signal, see).catch(() => {});
    }
  }
  return at.task;
}

async function byAsking(api, at, signal, see) {
  await pause(POLL_MS, signal);
  if (signal.aborted) return;
  at.task = await api.get(`/api/v1/task/${at.task.task_id}`, { signal });
  see(at.task);
}

async function byEvents(api, at, signal, see) {
  streams += 1;
  try {
    for await (const { id, data } of api.events(`/api/v1/task/${at.task.task_id}/events`, { signal, lastId: at.lastId })) {
      at.lastId = id;
      at.task = data.task ?? (await changed(api, at, data, signal));
      see(at.task);
    }
    if (!isFinal(at.task)) await pause(POLL_MS, signal);
  } finally {
    streams -= 1;
  }
}

/** Events are short: what they do not tell, such as the guessed end, is read now and then. */
async function changed(api, at, data, signal) {
  const isNew = data.status !== at.task.status && data.status !== "accepted";
  if (isNew || Date.now() - at.read > REFRESH_MS) {
    at.read = Date.now();
    return api.get(`/api/v1/task/${at.task.task_id}`, { signal });
  }
  const { progress = at.task.meta.progress, queue_position = null, preview_url = at.task.meta.preview_url } = data;
  return { ...at.task, meta: { ...at.task.meta, progress, queue_position, preview_url } };
}
