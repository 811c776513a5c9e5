/** Order a picture, wait for it, and save it: UNITASK_URL and UNITASK_API_KEY say where and with which key. */

import { writeFile } from "node:fs/promises";

import { Unitask } from "../src/client.js";

const unitask = new Unitask({
  baseUrl: process.env["UNITASK_URL"] ?? "http://127.0.0.1:8000",
  apiKey: process.env["UNITASK_API_KEY"] ?? "",
});

const task = await unitask.run(
  { model: "Qubico/flux1-dev", task_type: "txt2img", input: { prompt: "a little cat", width: 512, height: 512 } },
  { deadlineMs: 300_000, onProgress: ({ status, meta }) => console.log(status, meta.progress) },
);

if (!task.output || !("image_url" in task.output) || !task.output.image_url) throw new Error("there is no picture");
const picture = await fetch(task.output.image_url);
await writeFile(process.argv[2] ?? "cat.png", Buffer.from(await picture.arrayBuffer()));
console.log(`made by ${task.meta.engine} at level ${task.meta.engine_level} for ${task.meta.usage.consume} points`);
