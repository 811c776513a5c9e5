/** Reading the JSON schema of an input. */

/** Follow a reference and look past "or null". @returns the schema with `optional` true where null is allowed */
export function plain(schema, root) {
  let found = schema;
  if (found.$ref) found = { ...root.$defs[found.$ref.split("/").at(-1)], ...found };
  if (!found.anyOf) return found;
  const kinds = found.anyOf.filter((kind) => kind.type !== "null").map((kind) => plain(kind, root));
  const { anyOf, ...beside } = found;
  return { ...kinds[0], ...beside, nullable: true };
}

/** What a value may be, in words: "0 to 40", "at most 16 items". */
export function range(schema) {
  const { minimum: least, maximum: most, exclusiveMinimum: above } = schema;
  if (schema["x-media"]) return `up to ${schema["x-limit-bytes"] / 2 ** 20} MiB`;
  const bounds = { low: least ?? above, high: most };
  if (bounds.low !== undefined && bounds.low === bounds.high) return `only ${bounds.low}`;
  if (bounds.low !== undefined && bounds.high !== undefined && bounds.high < 1e9) {
    return above === undefined ? `${bounds.low} to ${bounds.high}` : `above ${above}, up to ${most}`;
  }
  return "";
}

/** Whether a text is long enough to want several lines. */
export const isLong = (name, schema) => schema.maxLength > 1000 && !/negative|index/.test(name);

/** Fields in the order in which people fill them: what must be, media and words first; the rest behind "More". */
export function arranged(schema) {
  const required = new Set(schema.required ?? []);
  const entries = Object.entries(schema.properties ?? {});
  const isMain = ([name, field]) => required.has(name) || field["x-media"] || /^(prompt|lyrics|style_prompt|images)$/.test(name);
  return { required, main: entries.filter(isMain), more: entries.filter((one) => !isMain(one)) };
}

/** A name as people write it: "swap_image" -> "Swap image" */
export function titled(name) {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}
