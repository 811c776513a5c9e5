/** What the compiler must refuse. It is only checked, never run: a line that were accepted would be an error here. */

import type { Order, Task, Unitask } from "../src/client.js";

export const right: Order = { model: "Qubico/flux1-dev", task_type: "txt2img", input: { prompt: "a cat" } };

// @ts-expect-error - there is no such model
export const noModel: Order = { model: "Qubico/flux9", task_type: "txt2img", input: { prompt: "a cat" } };

// @ts-expect-error - this model has no such task type
export const noTaskType: Order = { model: "Qubico/flux1-schnell", task_type: "kontext", input: { prompt: "a cat" } };

// @ts-expect-error - a picture needs a prompt
export const noPrompt: Order = { model: "Qubico/flux1-dev", task_type: "txt2img", input: {} };

// @ts-expect-error - a width is a number
export const noNumber: Order = { model: "Qubico/flux1-dev", task_type: "txt2img", input: { prompt: "a", width: "1" } };

export async function status(unitask: Unitask): Promise<Task["status"]> {
  const task = await unitask.get("id");
  // @ts-expect-error - a task has no such status
  if (task.status === "done") return task.status;
  // @ts-expect-error - no route is called so
  await unitask.routes.GET("/api/v1/tusk");
  const { data } = await unitask.routes.GET("/api/v1/usage", { params: { query: { days: 7 } } });
  // @ts-expect-error - points are a number
  const points: string | undefined = data?.data.usage[0]?.points;
  return points ? "failed" : task.status;
}
