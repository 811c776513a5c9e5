/** Server-sent events out of a fetched answer; the browser's own reader cannot send a key. */

const MOST_CHARACTERS = 4 * 2 ** 20;

/** @param {Response} answer @yields {{id: string, event: string, data: any}} */
export async function* readEvents(answer) {
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      if (text.length > MOST_CHARACTERS) throw new Error("an event is too long");
      yield* blocks.map(parsed).filter((one) => one !== null);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  const fields = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name in fields) fields[name] = name === "data" ? fields.data + value : value;
  }
  return fields.data ? { ...fields, data: JSON.parse(fields.data) } : null;
}
