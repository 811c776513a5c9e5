/** The products of this server, read once for each visitor. */

const read = new WeakMap();

/** @param {any} api @returns {Promise<any[]>} */
export function products(api) {
  if (!read.has(api)) {
    const found = api.get("/api/v1/catalogue");
    found.catch(() => read.delete(api));
    read.set(api, found);
  }
  return read.get(api);
}

export const find = (list, model, taskType) => list.find((one) => one.model === model && one.task_type === taskType);

/** Families with their products, in the catalogue's order. @returns {[string, any[]][]} */
export const byFamily = (list) => [...Map.groupBy(list, (one) => one.family)];

/** What a product makes, by the names of its outputs. */
export function makes(product) {
  const names = Object.keys(product.output_schema.properties).join(" ");
  return [["model_file", "3D"], ["video", "video"], ["audio", "sound"]].find(([word]) => names.includes(word))?.[1] ?? "picture";
}

/** The seed that a task was or will be made with; null where its product has none. */
export function seedOf(task, product) {
  const name = seedField(product);
  if (!name) return null;
  const asked = task.input[name];
  return asked === undefined || asked === product.input_schema.properties[name].default ? task.meta.drawn_seed : asked;
}

/** Where a task's seed stands in its input, if its product has one. */
export function seedField(product) {
  return product && Object.keys(product.input_schema.properties).find((name) => name === "seed");
}
