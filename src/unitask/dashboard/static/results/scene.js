/** Drawing parts of a GLB with WebGL2: one light from the viewer's side, one from above. */

import { identity, times } from "./glb.js";

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec3 colour; in vec2 place;
uniform mat4 model; uniform mat4 seen; uniform mat4 onto;
out vec3 toLight; out vec3 tone; out vec2 at;
void main() {
  toLight = mat3(seen) * mat3(model) * normal;
  tone = colour; at = place;
  gl_Position = onto * seen * model * vec4(position, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 toLight; in vec3 tone; in vec2 at;
uniform sampler2D picture; uniform vec4 tint; uniform bool textured;
out vec4 result;
void main() {
  vec3 n = normalize(toLight);
  if (!gl_FrontFacing) n = -n;
  float light = 0.35 + 0.55 * max(dot(n, normalize(vec3(0.3, 0.4, 1.0))), 0.0) + 0.25 * max(n.y, 0.0);
  vec3 base = tint.rgb * tone;
  // Colours of vertices and factors are linear, those of a picture are not.
  vec3 shown = pow(base, vec3(1.0 / 2.2));
  if (textured) shown *= texture(picture, at).rgb;
  result = vec4(shown * light, 1.0);
}`;
const FIELD_OF_VIEW = 0.6;

/** @param {HTMLCanvasElement} canvas @param {import("./glb.js").Part[]} parts */
export async function scene(canvas, parts) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true });
  if (!gl) throw new Error("this browser has no WebGL2.");
  const program = compiled(gl);
  const pictures = await Promise.all(parts.map((one) => (one.picture ? createImageBitmap(one.picture) : null)));
  const loaded = parts.map((one, i) => load(gl, program, one, pictures[i]));
  const { centre, radius } = bounds(parts);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const names = Object.fromEntries(["model", "seen", "onto", "tint", "textured"].map((name) => [name, uniform(name)]));

  /** @param {{turn: number, tilt: number, zoom: number}} eye angles in radians; zoom 1 shows the whole thing */
  return function draw({ turn, tilt, zoom }) {
    const away = (1.15 * radius) / Math.sin(FIELD_OF_VIEW / 2) / zoom;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(program);
    gl.uniformMatrix4fv(names.seen, false, eyeAt(centre, turn, tilt, away));
    gl.uniformMatrix4fv(names.onto, false, perspective(canvas.width / canvas.height, Math.max(away - 2 * radius, away / 100), away + 2 * radius));
    for (const one of loaded) {
      gl.uniformMatrix4fv(names.model, false, one.matrix);
      gl.uniform4fv(names.tint, one.tint);
      gl.uniform1i(names.textured, one.texture ? 1 : 0);
      gl.bindTexture(gl.TEXTURE_2D, one.texture);
      gl.bindVertexArray(one.array);
      gl.drawElements(gl.TRIANGLES, one.count, gl.UNSIGNED_INT, 0);
    }
  };
}

function compiled(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the viewer cannot start: ${gl.getProgramInfoLog(program)}`);
  return program;
}

function load(gl, program, part, picture) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  const attribute = (name, values, size) => {
    const at = gl.getAttribLocation(program, name);
    if (at < 0) return; // the compiler left it out
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, Float32Array.from(values), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
  };
  attribute("position", part.positions, 3);
  attribute("normal", part.normals, 3);
  attribute("colour", part.colours ?? new Float32Array(part.positions.length).fill(1), 3);
  attribute("place", part.places ?? new Float32Array((part.positions.length / 3) * 2), 2);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, part.indices, gl.STATIC_DRAW);
  const texture = picture && part.places ? textured(gl, picture) : null;
  return { array, texture, count: part.indices.length, matrix: part.matrix, tint: part.tint };
}

function textured(gl, picture) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  return texture;
}

/** The middle of everything, and how far its farthest corner is. */
function bounds(parts) {
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  for (const { positions, matrix: m } of parts) {
    for (let i = 0; i < positions.length; i += 3) {
      for (let axis = 0; axis < 3; axis += 1) {
        const value = m[axis] * positions[i] + m[4 + axis] * positions[i + 1] + m[8 + axis] * positions[i + 2] + m[12 + axis];
        low[axis] = Math.min(low[axis], value);
        high[axis] = Math.max(high[axis], value);
      }
    }
  }
  return { centre: low.map((one, axis) => (one + high[axis]) / 2), radius: Math.max(Math.hypot(...low.map((one, axis) => high[axis] - one)) / 2, 1e-6) };
}

function eyeAt([x, y, z], turn, tilt, away) {
  const [c, s, d, t] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  const home = identity();
  home.set([-x, -y, -z], 12);
  const about = Float32Array.of(c, 0, -s, 0, 0, 1, 0, 0, s, 0, c, 0, 0, 0, 0, 1);
  const over = Float32Array.of(1, 0, 0, 0, 0, d, t, 0, 0, -t, d, 0, 0, 0, 0, 1);
  const back = identity();
  back[14] = -away;
  return times(back, times(over, times(about, home)));
}

function perspective(aspect, near, far) {
  const f = 1 / Math.tan(FIELD_OF_VIEW / 2) * Math.min(1, aspect);
  return Float32Array.of(f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0);
}
