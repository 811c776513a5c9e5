/** Fetching stored files, to look into them rather than to show them. */

import { ApiError } from "./api.js";

const TIMEOUT_MS = 120_000;

/** The address that makes a browser save a stored file. */
export const saving = (url) => (url.includes("/files/") ? `${url}?download=1` : url);

/** The name a file is saved under. */
export const nameOf = (url) => decodeURIComponent(url.split(/[?#]/)[0].split("/").at(-1)) || "file";

/** Read a file whole; stored ones come through the server, wherever they lie. @returns {Promise<Blob>} */
export async function read(url, signal) {
  const signals = [AbortSignal.timeout(TIMEOUT_MS), signal].filter(Boolean);
  let answer;
  try {
    answer = await fetch(/^(data|blob):/.test(url) ? url : saving(url), { signal: AbortSignal.any(signals) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("This file cannot be read from here; upload it to the server first.");
  }
  if (!answer.ok) throw new ApiError(answer.status === 404 ? "The file is gone; files are kept for a time only." : `The file cannot be read: ${answer.status}.`);
  return answer.blob();
}
