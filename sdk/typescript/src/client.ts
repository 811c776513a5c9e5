/** A client of one Unitask server. Its types are those of the server from which `schema.ts` was generated. */

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";
/** A task as the server shows it; of `detail`, which is always null, openapi-fetch knows no type. */
export type Task = Omit<components["schemas"]["Task"], "detail">;
/** What can be ordered: a union of all products, told apart by `model` and `task_type`. */
export type Order = paths["/api/v1/task"]["post"]["requestBody"]["content"]["application/json"];

export interface Options {
  /** Where the server is, such as `https://api.example.com`. */
  baseUrl: string;
  apiKey: string;
  /** Milliseconds that one call may take. */
  timeoutMs?: number;
}

export interface Waiting {
  /** Milliseconds after which waiting is given up; the task goes on. */
  deadlineMs?: number;
  /** Hears of the task whenever it was read. */
  onProgress?: (task: Task) => void;
}

/** What the server said instead of doing what it was asked to; `status` is that of HTTP. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "Refused";
  }
}

/** The task ended, but not with a result; its error says why. */
export class TaskFailed extends Error {
  constructor(readonly task: Task) {
    super(task.error.message);
    this.name = "TaskFailed";
  }
}

const TIMEOUT_MS = 90_000;
const DEADLINE_MS = 3_600_000;
const POLL_S = 20;
const TRIES = 4;
const PAUSE_MS = 500;

export class Unitask {
  /** Every route of the server with its types, for what has no method here. */
  readonly routes: Client<paths>;
  private readonly timeoutMs: number;

  constructor({ baseUrl, apiKey, timeoutMs = TIMEOUT_MS }: Options) {
    this.timeoutMs = timeoutMs;
    this.routes = createClient<paths>({ baseUrl: baseUrl.replace(/\/+$/, ""), headers: { "X-API-Key": apiKey } });
  }

  /** Order a task. It is safe to call again with the same key: the same task comes back, and it is paid once. */
  async create(order: Order, idempotencyKey: string = crypto.randomUUID()): Promise<Task> {
    const answer = await retried(() =>
      this.routes.POST("/api/v1/task", {
        body: order,
        params: { header: { "Idempotency-Key": idempotencyKey } },
        signal: AbortSignal.timeout(this.timeoutMs),
      }),
    );
    return unwrapped(answer).data;
  }

  /** Read a task; with `waitS`, at most 60, the server answers when it has ended or that time is over. */
  async get(taskId: string, waitS = 0): Promise<Task> {
    const params = { path: { task_id: taskId }, query: { wait: waitS } };
    const answer = await retried(() =>
      this.routes.GET("/api/v1/task/{task_id}", { params, signal: AbortSignal.timeout(this.timeoutMs) }),
    );
    return unwrapped(answer).data;
  }

  /**
   * Wait until a task has ended.
   * @throws {TaskFailed} it failed or was cancelled
   * @throws {Error} the deadline came first
   */
  async wait(taskId: string, { deadlineMs = DEADLINE_MS, onProgress }: Waiting = {}): Promise<Task> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const left = until - Date.now();
      const task = await this.get(taskId, Math.max(0, Math.min(POLL_S, left / 1000)));
      onProgress?.(task);
      if (task.status === "failed") throw new TaskFailed(task);
      if (task.status === "completed") return task;
      if (left <= 0) throw new Error(`task ${taskId} is ${task.status} after ${deadlineMs} ms`);
    }
  }

  /** Order a task and wait for its result. */
  async run(order: Order, waiting: Waiting = {}): Promise<Task> {
    return this.wait((await this.create(order)).task_id, waiting);
  }

  /** Take an order back. */
  async cancel(taskId: string): Promise<Task> {
    const params = { path: { task_id: taskId } };
    const signal = AbortSignal.timeout(this.timeoutMs);
    return unwrapped(await this.routes.DELETE("/api/v1/task/{task_id}", { params, signal })).data;
  }
}

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Give the body of an answer that went well. */
function unwrapped<Data>({ data, error, response }: Answer<Data>): Data {
  if (data !== undefined) return data;
  const said = error as { message?: unknown } | undefined;
  const message = typeof said?.message === "string" ? said.message : `the server answered ${response.status}`;
  throw new Refused(response.status, message);
}

/** Call again after a pause while the server is away or too busy; for calls that may be repeated. */
async function retried<Data>(call: () => Promise<Answer<Data>>): Promise<Answer<Data>> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call().catch((reason: unknown) => {
      if (attempt === TRIES) throw reason;
      return undefined;
    });
    const later = answer === undefined || [429, 502, 503, 504].includes(answer.response.status);
    if (answer && (!later || attempt === TRIES)) return answer;
    const asked = Number(answer?.response.headers.get("Retry-After") ?? 0) * 1000;
    await new Promise((wake) => setTimeout(wake, Math.max(asked, PAUSE_MS * 2 ** (attempt - 1))));
  }
}
