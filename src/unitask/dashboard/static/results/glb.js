/**
 * Reading GLB files (glTF 2.0 in one binary): triangles with positions, normals, colours and a base-colour texture.
 * Extensions, skins and morphs are not read; a file that needs them says so.
 */

const MAGIC = 0x46546c67;
const [JSON_CHUNK, BINARY_CHUNK] = [0x4e4f534a, 0x004e4942];
const ARRAYS = { 5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };
const PARTS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const WHOLE = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535 };
const MOST_VERTICES = 5_000_000;
const UNREADABLE = new Set(["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_mesh_quantization"]);

/**
 * @typedef {{positions: Float32Array, normals: Float32Array, colours: Float32Array | null, places: Float32Array | null,
 *   indices: Uint32Array, matrix: Float32Array, tint: number[], picture: Blob | null}} Part
 * @param {ArrayBuffer} buffer @returns {Part[]}
 * @throws {Error} it is no GLB, or needs what is not read here
 */
export function parts(buffer) {
  const { tree, binary } = chunks(buffer);
  const missing = (tree.extensionsRequired ?? []).find((name) => UNREADABLE.has(name));
  if (missing) throw new Error(`the file needs ${missing}, which this viewer does not read.`);
  const found = [];
  const visit = (index, above, depth) => {
    if (depth > 32) throw new Error("the file's nodes are nested too deep.");
    const node = tree.nodes[index];
    const matrix = times(above, matrixOf(node));
    for (const primitive of node.mesh === undefined ? [] : tree.meshes[node.mesh].primitives) {
      if ((primitive.mode ?? 4) === 4) found.push(part(tree, binary, primitive, matrix));
    }
    for (const child of node.children ?? []) visit(child, matrix, depth + 1);
  };
  const scene = tree.scenes?.[tree.scene ?? 0];
  for (const root of scene?.nodes ?? []) visit(root, identity(), 0);
  if (!found.length) throw new Error("the file has no triangles.");
  return found;
}

function chunks(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 20 || view.getUint32(0, true) !== MAGIC) throw new Error("the file is no GLB.");
  const found = {};
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const length = view.getUint32(at, true);
    found[view.getUint32(at + 4, true)] = { start: at + 8, length };
    at += 8 + length;
  }
  const json = found[JSON_CHUNK];
  if (!json) throw new Error("the file has no description.");
  const tree = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, json.start, json.length)));
  const data = found[BINARY_CHUNK];
  return { tree, binary: data ? new Uint8Array(buffer, data.start, data.length) : new Uint8Array() };
}

/** Read an accessor as an array without gaps; whole numbers that stand for 0 to 1 become such. */
function accessor(tree, binary, index) {
  const { componentType, type, count, byteOffset = 0, bufferView, normalized, sparse } = tree.accessors[index];
  const [Kind, width] = [ARRAYS[componentType], PARTS[type]];
  if (sparse || count > MOST_VERTICES) throw new Error("the file's data are too large or sparse for this viewer.");
  const result = new Kind(count * width);
  if (bufferView === undefined) return { values: result, width };
  const { byteOffset: from = 0, byteStride = width * Kind.BYTES_PER_ELEMENT } = tree.bufferViews[bufferView];
  const start = binary.byteOffset + from + byteOffset;
  const row = width * Kind.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(result.buffer);
  const source = new Uint8Array(binary.buffer, start);
  if (source.length < (count - 1) * byteStride + row) throw new Error("the file ends too early.");
  for (let i = 0; i < count; i += 1) bytes.set(source.subarray(i * byteStride, i * byteStride + row), i * row);
  if (!normalized) return { values: result, width };
  return { values: Float32Array.from(result, (value) => Math.max(-1, value / WHOLE[componentType])), width };
}

function part(tree, binary, primitive, matrix) {
  const { POSITION, NORMAL, TEXCOORD_0, COLOR_0 } = primitive.attributes;
  const take = (index) => (index === undefined ? null : accessor(tree, binary, index));
  const positions = Float32Array.from(take(POSITION).values);
  const count = positions.length / 3;
  const indices = primitive.indices === undefined ? Uint32Array.from({ length: count }, (_, i) => i) : Uint32Array.from(take(primitive.indices).values);
  const colours = take(COLOR_0);
  const material = tree.materials?.[primitive.material]?.pbrMetallicRoughness ?? {};
  return {
    positions,
    indices,
    matrix,
    normals: take(NORMAL)?.values ?? normalsOf(positions, indices),
    colours: colours && rgb(colours),
    places: take(TEXCOORD_0)?.values ?? null,
    tint: material.baseColorFactor ?? [1, 1, 1, 1],
    picture: pictureOf(tree, binary, material.baseColorTexture),
  };
}

function rgb({ values, width }) {
  if (width === 3) return values;
  return Float32Array.from({ length: (values.length / 4) * 3 }, (_, i) => values[Math.floor(i / 3) * 4 + (i % 3)]);
}

function pictureOf(tree, binary, texture) {
  const image = tree.images?.[tree.textures?.[texture?.index]?.source];
  if (image?.bufferView === undefined) return null;
  const { byteOffset = 0, byteLength } = tree.bufferViews[image.bufferView];
  return new Blob([binary.slice(byteOffset, byteOffset + byteLength)], { type: image.mimeType });
}

/** Where a file has no normals: those of its triangles, added up at each vertex. */
function normalsOf(positions, indices) {
  const sums = new Float32Array(positions.length);
  const at = (i) => positions.subarray(i * 3, i * 3 + 3);
  for (let i = 0; i + 2 < indices.length; i += 3) {
    const [a, b, c] = [at(indices[i]), at(indices[i + 1]), at(indices[i + 2])];
    const [u, v] = [[b[0] - a[0], b[1] - a[1], b[2] - a[2]], [c[0] - a[0], c[1] - a[1], c[2] - a[2]]];
    const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (let corner = 0; corner < 3; corner += 1) {
      for (let axis = 0; axis < 3; axis += 1) sums[indices[i + corner] * 3 + axis] += normal[axis];
    }
  }
  return sums;
}

export const identity = () => Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);

/** Multiply two matrices, column by column as glTF and WebGL have them. */
export function times(a, b) {
  const result = new Float32Array(16);
  for (let column = 0; column < 4; column += 1) {
    for (let row = 0; row < 4; row += 1) {
      for (let i = 0; i < 4; i += 1) result[column * 4 + row] += a[i * 4 + row] * b[column * 4 + i];
    }
  }
  return result;
}

function matrixOf({ matrix, translation = [0, 0, 0], rotation: [x, y, z, w] = [0, 0, 0, 1], scale: [a, b, c] = [1, 1, 1] }) {
  if (matrix) return Float32Array.from(matrix);
  return Float32Array.of(
    (1 - 2 * (y * y + z * z)) * a, 2 * (x * y + z * w) * a, 2 * (x * z - y * w) * a, 0,
    2 * (x * y - z * w) * b, (1 - 2 * (x * x + z * z)) * b, 2 * (y * z + x * w) * b, 0,
    2 * (x * z + y * w) * c, 2 * (y * z - x * w) * c, (1 - 2 * (x * x + y * y)) * c, 0,
    ...translation, 1,
  );
}
