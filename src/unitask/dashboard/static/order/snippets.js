/** The same call from a shell, from Python and from JavaScript. The key is named, never written out. */

import { SERVER } from "../kit/api.js";

const LONGEST = 120;

/** Files that travel inside the request would fill the screen: a name stands for them. */
function readable(value) {
  if (typeof value === "string" && value.startsWith("data:") && value.length > LONGEST) return `${value.slice(0, 40)}…`;
  if (Array.isArray(value)) return value.map(readable);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, readable(one)]));
  return value;
}

const json = (body) => JSON.stringify(body, null, 2);

/** @param {any} body of a create @param {boolean} whole with files that travel inside @returns {[string, string][]} language and text */
export function snippets(body, whole = false) {
  const order = whole ? body : readable(body);
  return [["curl", curl(order)], ["Python", python(order)], ["JavaScript", javascript(order)]];
}

function curl(order) {
  const quoted = json(order).replaceAll("'", "'\\''");
  return `curl -s ${SERVER}/api/v1/task \\\n  -H "X-API-Key: $UNITASK_API_KEY" \\\n  -d '${quoted}'`;
}

function python(order) {
  return `import json
import os
import urllib.request

BASE = ${JSON.stringify(SERVER)}
HEADERS = {"X-API-Key": os.environ["UNITASK_API_KEY"], "Content-Type": "application/json"}


def call(method, path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(BASE + path, data, HEADERS, method=method)
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)["data"]


order = json.loads(r"""
${json(order)}
""")
task = call("POST", "/api/v1/task?wait=60", order)
while task["status"] not in ("completed", "failed"):
    task = call("GET", f"/api/v1/task/{task['task_id']}?wait=60")
print(task["output"] or task["error"]["message"])`;
}

function javascript(order) {
  return `const base = ${JSON.stringify(SERVER)};
const headers = { "X-API-Key": process.env.UNITASK_API_KEY, "Content-Type": "application/json" };

async function call(method, path, body) {
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.message);
  return told.data;
}

let task = await call("POST", "/api/v1/task?wait=60", ${json(order)});
while (!["completed", "failed"].includes(task.status)) {
  task = await call("GET", \`/api/v1/task/\${task.task_id}?wait=60\`);
}
console.log(task.output ?? task.error.message);`;
}
