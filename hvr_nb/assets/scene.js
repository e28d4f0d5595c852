"use strict";
// A 3D scene in plain WebGL 2 that needs no network: meshes posed by linear blend skinning on the graphics
// card, skeletons, the film camera with its frame, the floor in metres. World Y is up and stays up.
// openScene(box, data, hooks) -> Promise of {show(index), draw(), view(name), state()}
const SCENE_VERTEX = `#version 300 es
precision highp float;
layout(location=0) in vec3 place; layout(location=1) in vec3 normal; layout(location=2) in vec3 colour;
layout(location=3) in vec4 joint; layout(location=4) in vec4 weight; layout(location=5) in vec2 uv;
layout(location=6) in vec3 b0; layout(location=7) in vec3 b1; layout(location=8) in vec3 b2; layout(location=9) in vec3 b3;
uniform mat4 camera; uniform vec4 rows[192]; uniform vec4 lean; uniform bool skinned;
out vec3 n; out vec3 p; out vec3 c; out vec2 t;
void main() {
  vec4 at = vec4(place + lean.x * b0 + lean.y * b1 + lean.z * b2 + lean.w * b3, 1.0);
  n = normal; p = at.xyz;
  if (skinned) {
    vec4 x = vec4(0.0), y = vec4(0.0), z = vec4(0.0);
    for (int k = 0; k < 4; k++) {
      int j = 3 * int(joint[k] + 0.5);
      x += weight[k] * rows[j]; y += weight[k] * rows[j + 1]; z += weight[k] * rows[j + 2];
    }
    p = vec3(dot(x, at), dot(y, at), dot(z, at));
    n = vec3(dot(x.xyz, normal), dot(y.xyz, normal), dot(z.xyz, normal));
  }
  c = colour; t = uv;
  gl_Position = camera * vec4(p, 1.0);
}`;
const SCENE_FRAGMENT = `#version 300 es
precision highp float;
in vec3 n; in vec3 p; in vec3 c; in vec2 t; out vec4 shown;
uniform vec3 eye, right, up, tint; uniform float opacity; uniform bool lit, textured; uniform sampler2D image;
void main() {
  vec3 base = textured ? texture(image, t).rgb : c * tint;
  if (lit) {
    vec3 away = normalize(eye - p), m = normalize(n);
    if (dot(m, away) < 0.0) m = -m;
    vec3 key = normalize(-0.45 * right + 0.65 * up + 0.75 * away), fill = normalize(0.85 * right + 0.1 * up + 0.5 * away);
    float light = 0.36 + 0.12 * (0.5 + 0.5 * dot(m, up)) + 0.58 * max(dot(m, key), 0.0) + 0.18 * max(dot(m, fill), 0.0);
    base = base * light + 0.07 * pow(max(dot(m, normalize(key + away)), 0.0), 24.0);
  }
  shown = vec4(base, opacity);
}`;
const MAX_JOINTS = 64, GHOSTS = 6, LENS = 35 * Math.PI / 180;

const sceneMath = {
  sub: (a, b) => a.map((v, i) => v - b[i]),
  add: (a, b, s = 1) => a.map((v, i) => v + s * b[i]),
  dot: (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2],
  cross: (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]],
  unit: a => { const l = Math.hypot(...a) || 1; return a.map(v => v / l); },
  times(a, b) { // 4 x 4 column by column
    const out = new Float32Array(16);
    for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++)
      out[4 * c + r] = a[r] * b[4 * c] + a[4 + r] * b[4 * c + 1] + a[8 + r] * b[4 * c + 2] + a[12 + r] * b[4 * c + 3];
    return out;
  },
};

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), ch => ch.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function openScene(box, data, hooks) {
  const { sub, add, dot, cross, unit, times } = sceneMath;
  const blob = await inflated(data.blob);
  const screen = document.createElement("canvas"), words = document.createElement("canvas");
  screen.tabIndex = 0; screen.className = "world"; words.className = "words";
  screen.setAttribute("role", "img");
  screen.setAttribute("aria-label", "3D scene: drag to turn, wheel to zoom after a click, shift and arrows to turn");
  box.append(screen, words);
  const gl = screen.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
  if (!gl) { box.textContent = "This browser has no WebGL 2; the pictures show the same."; return null; }

  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, SCENE_VERTEX], [gl.FRAGMENT_SHADER, SCENE_FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program); gl.useProgram(program);
  const uniform = {};
  for (const name of ["camera", "rows", "lean", "skinned", "eye", "right", "up", "tint", "opacity", "lit", "textured", "image"])
    uniform[name] = gl.getUniformLocation(program, name);

  // numbers packed as unsigned 16 bit between lo and hi, one pair for each of `wide` columns
  function numbers(part, wide) {
    const raw = new Uint16Array(blob, part.at, part.n), out = new Float32Array(part.n);
    for (let i = 0; i < part.n; i++) {
      const k = i % wide;
      out[i] = raw[i] === 65535 ? NaN : part.lo[k] + (part.hi[k] - part.lo[k]) * raw[i] / 65534;
    }
    return out;
  }
  function smoothNormals(place, faces) {
    const out = new Float32Array(place.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [faces[f], faces[f + 1], faces[f + 2]].map(v => 3 * v);
      const u = [0, 1, 2].map(k => place[b + k] - place[a + k]), v = [0, 1, 2].map(k => place[c + k] - place[a + k]);
      const n = cross(u, v);
      for (const at of [a, b, c]) for (let k = 0; k < 3; k++) out[at + k] += n[k];
    }
    for (let i = 0; i < out.length; i += 3) {
      const l = Math.hypot(out[i], out[i + 1], out[i + 2]) || 1;
      for (let k = 0; k < 3; k++) out[i + k] /= l;
    }
    return out;
  }
  function attribute(location, values, size, kind, normalised, usage = gl.STATIC_DRAW) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer); gl.bufferData(gl.ARRAY_BUFFER, values, usage);
    gl.enableVertexAttribArray(location); gl.vertexAttribPointer(location, size, kind, normalised, 0, 0);
    return buffer;
  }
  function picture(source, then) {
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array([235, 235, 238]));
    if (source) { const image = new Image(); image.onload = () => { upload(texture, image); then(); }; image.src = source; }
    return texture;
  }
  function upload(texture, image) {
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
    for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]])
      gl.texParameteri(gl.TEXTURE_2D, key, value);
  }

  function meshItem(layer) {
    const array = gl.createVertexArray(), item = { layer, array, mode: gl.TRIANGLES };
    gl.bindVertexArray(array);
    const place = numbers(layer.vertices, 3), count = layer.faces.n;
    const faces = layer.faces.wide ? new Uint32Array(blob, layer.faces.at, count) : new Uint16Array(blob, layer.faces.at, count);
    item.count = count; item.kind = layer.faces.wide ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT;
    item.size = layer.vertices.each;
    const first = place.subarray(0, item.size);
    item.places = attribute(0, first, 3, gl.FLOAT, false, gl.DYNAMIC_DRAW);
    item.normals = attribute(1, layer.normals ? numbers(layer.normals, 3) : smoothNormals(first, faces), 3, gl.FLOAT, false, gl.DYNAMIC_DRAW);
    if (place.length > item.size) Object.assign(item, { all: place, faces });
    if (layer.colors) attribute(2, new Uint8Array(blob, layer.colors.at, layer.colors.n), 3, gl.UNSIGNED_BYTE, true);
    else gl.vertexAttrib3f(2, 1, 1, 1);
    if (layer.uv) {
      attribute(5, numbers(layer.uv, 2), 2, gl.FLOAT, false);
      item.texture = picture("data:image/jpeg;base64," + layer.texture, () => draw());
    }
    if (layer.skin) {
      attribute(3, new Uint8Array(blob, layer.skin.joints, item.size / 3 * 4), 4, gl.UNSIGNED_BYTE, false);
      attribute(4, new Uint8Array(blob, layer.skin.weights, item.size / 3 * 4), 4, gl.UNSIGNED_BYTE, true);
      item.matrices = numbers(layer.skin.matrices, 12); item.joints = layer.skin.count;
    }
    if (layer.basis) {
      for (let k = 0; k < layer.basis.count; k++)
        attribute(6 + k, new Int8Array(blob, layer.basis.at[k], item.size), 3, gl.BYTE, true);
      item.leans = numbers(layer.basis.amounts, layer.basis.count); item.basis = layer.basis.count;
    }
    const indices = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, indices); gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
    return item;
  }

  // a skeleton: a tapered bar a bone and a ball a joint, built anew for every frame
  const BALL = [];
  for (let i = 0; i < 5; i++) for (let k = 0; k < 8; k++) {
    const a = Math.PI * i / 5, b = Math.PI * (i + 1) / 5, c = Math.PI * k / 4, d = Math.PI * (k + 1) / 4;
    const on = (u, v) => [Math.sin(u) * Math.cos(v), Math.cos(u), Math.sin(u) * Math.sin(v)];
    BALL.push(on(a, c), on(b, c), on(b, d), on(a, c), on(b, d), on(a, d));
  }
  function bonesItem(layer) {
    const item = { layer, array: gl.createVertexArray(), mode: gl.TRIANGLES, points: numbers(layer.points, 3), size: layer.points.each };
    gl.bindVertexArray(item.array);
    item.buffers = [0, 1, 2].map(k => attribute(k, new Float32Array(3), 3, gl.FLOAT, false, gl.DYNAMIC_DRAW));
    return item;
  }
  function buildBones(item, index) {
    const { layer, size } = item, steps = item.points.length / size, start = Math.min(index, steps - 1) * size;
    const at = j => Array.from(item.points.subarray(start + 3 * j, start + 3 * j + 3));
    const place = [], normal = [], colour = [], tone = j => layer.colours[j].map(v => v / 255);
    const push = (p, n, c) => { place.push(...p); normal.push(...n); colour.push(...c); };
    for (const [a, b] of layer.pairs) {
      const from = at(a), to = at(b);
      if (Number.isNaN(from[0] + to[0])) continue;
      const along = unit(sub(to, from)), side = unit(cross(along, Math.abs(along[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0])), other = cross(along, side);
      const ring = k => add(side.map(v => v * Math.cos(Math.PI * k / 4)), other, Math.sin(Math.PI * k / 4));
      for (let k = 0; k < 8; k++) {
        const m = ring(k), n = ring(k + 1);
        const q = [[from, m, 0.016], [to, m, 0.011], [to, n, 0.011], [from, m, 0.016], [to, n, 0.011], [from, n, 0.016]];
        for (const [p, r, w] of q) push(add(p, r, w), r, tone(b));
      }
    }
    for (let j = 0; j < size / 3; j++) {
      const p = at(j);
      if (!Number.isNaN(p[0])) for (const s of BALL) push(add(p, s, 0.025), s, tone(j));
    }
    [place, normal, colour].forEach((values, k) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, item.buffers[k]); gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.DYNAMIC_DRAW);
    });
    item.count = place.length / 3;
  }
  function plain(points, colours, mode, uv) {
    const item = { array: gl.createVertexArray(), mode, count: points.length };
    gl.bindVertexArray(item.array);
    attribute(0, new Float32Array(points.flat()), 3, gl.FLOAT, false);
    attribute(2, new Float32Array(colours.flat()), 3, gl.FLOAT, false);
    if (uv) attribute(5, new Float32Array(uv.flat()), 2, gl.FLOAT, false);
    return item;
  }

  // the floor: lines every `step` metres; whole metres are darker, and every metre has its number
  const floor = data.floor, labels = [];
  const grid = { points: [], colours: [] };
  const line = (a, b, tone) => { grid.points.push(a, b); grid.colours.push(tone, tone); };
  for (const [axis, lo, hi, other] of [[0, floor.lo[0], floor.hi[0], [floor.lo[1], floor.hi[1]]], [2, floor.lo[1], floor.hi[1], [floor.lo[0], floor.hi[0]]]]) {
    const from = Math.round(lo / floor.step), to = Math.round(hi / floor.step), whole = Math.round(floor.label / floor.step);
    for (let k = from; k <= to; k++) {
      const v = k * floor.step, tone = k % whole ? [0.8, 0.82, 0.85] : [0.55, 0.58, 0.63];
      const end = o => axis === 0 ? [v, floor.y, o] : [o, floor.y, v];
      line(end(other[0]), end(other[1]), tone);
      const metres = (k - from) * floor.step;
      if ((k - from) % whole === 0 && (axis === 0 || k > from)) labels.push([end(axis === 0 ? floor.hi[1] : floor.lo[0]), `${+metres.toFixed(2)}${metres ? " m" : ""}`]);
    }
  }
  const items = [{ ...plain(grid.points, grid.colours, gl.LINES), layer: { name: "floor", on: true } }];

  // the film's camera: the pyramid it sees through, and its frame
  let film = null;
  if (data.camera) {
    const { K, R, t, width, height } = data.camera;
    const back = q => [0, 1, 2].map(k => R[0][k] * (q[0] - t[0]) + R[1][k] * (q[1] - t[1]) + R[2][k] * (q[2] - t[2]));
    const centre = back([0, 0, 0]), middle = sub(data.box.lo.map((v, k) => (v + data.box.hi[k]) / 2), centre);
    const ahead = [R[2][0], R[2][1], R[2][2]], deep = Math.max(dot(middle, ahead), 0.3);
    const corner = (x, y, z) => back([(x - K[0][2]) / K[0][0] * z, (y - K[1][2]) / K[1][1] * z, z]);
    const square = z => [[0, 0], [width, 0], [width, height], [0, height]].map(([x, y]) => corner(x, y, z));
    const near = square(0.22 * deep), far = square(deep + 0.75 * Math.hypot(...sub(data.box.hi, data.box.lo)));
    const uv = [[0, 0], [1, 0], [1, 1], [0, 1]], fan = [0, 1, 2, 0, 2, 3], white = fan.map(() => [1, 1, 1]);
    const edges = near.flatMap((q, k) => [centre, q, q, near[(k + 1) % 4]]);
    film = { centre, ahead, deep, up: R[1].map(v => -v), lens: 2 * Math.atan(height / 2 / K[1][1]), aspect: width / height, shown: -1 };
    const make = quad => ({ ...plain(fan.map(k => quad[k]), white, gl.TRIANGLES, fan.map(k => uv[k])), layer: { name: "film camera", on: true } });
    film.near = make(near); film.far = make(far); film.texture = picture();
    film.near.texture = film.far.texture = film.texture;
    film.edges = { ...plain(edges, edges.map(() => [0.25, 0.28, 0.34]), gl.LINES), layer: { name: "film camera", on: true } };
    items.push(film.edges, ...(data.panel >= 0 ? [film.near, film.far] : []));
  }
  for (const layer of data.layers) items.push(layer.kind === "bones" ? bonesItem(layer) : meshItem(layer));
  const on = {};
  for (const item of items) on[item.layer.name] = item.layer.on;
  const moving = data.layers.some(layer => layer.skin) && data.count > 2;
  if (moving) on.ghosts = false;

  // the eye: turned about the vertical by yaw, tilted by pitch, never rolled
  const boxMiddle = data.box.lo.map((v, k) => (v + data.box.hi[k]) / 2);
  const eye = { yaw: 0.38, pitch: 0.16, far: 1, at: boxMiddle, through: false };
  let index = 0;
  const aspect = () => Math.max(screen.clientWidth, 1) / Math.max(screen.clientHeight, 1);
  function fit(lo, hi) { // the distance from which the box between lo and hi is seen whole
    eye.at = lo.map((v, k) => (v + hi[k]) / 2);
    const [forward, right, up] = axes();
    let far = 0.1;
    for (let c = 0; c < 8; c++) {
      const q = sub([0, 1, 2].map(k => (c >> k) & 1 ? hi[k] : lo[k]), eye.at), half = Math.tan(LENS / 2) * 0.92;
      far = Math.max(far, Math.abs(dot(q, right)) / (half * aspect()) - dot(q, forward), Math.abs(dot(q, up)) / half - dot(q, forward));
    }
    eye.far = far;
  }
  function axes() {
    const out = [Math.sin(eye.yaw) * Math.cos(eye.pitch), Math.sin(eye.pitch), Math.cos(eye.yaw) * Math.cos(eye.pitch)];
    const right = [Math.cos(eye.yaw), 0, -Math.sin(eye.yaw)];
    return [out.map(v => -v), right, cross(out, right)];
  }
  const VIEWS = { front: [0, 0.05], side: [Math.PI / 2, 0.05], back: [Math.PI, 0.05], top: [0, 1.55] };
  function view(name) {
    eye.through = name === "camera" && film !== null;
    if (!eye.through) {
      if (VIEWS[name]) [eye.yaw, eye.pitch] = VIEWS[name];
      else [eye.yaw, eye.pitch] = [0.38, 0.16];
      let { lo, hi } = data.box;
      if (name === "all" && film) { lo = lo.map((v, k) => Math.min(v, film.centre[k])); hi = hi.map((v, k) => Math.max(v, film.centre[k])); [eye.yaw, eye.pitch] = [0.9, 0.35]; }
      fit(lo, hi);
    }
    draw();
  }
  function lens() {
    let forward, right, up, place, angle = LENS;
    if (eye.through) {
      forward = film.ahead; up = film.up; right = cross(forward, up); place = film.centre;
      angle = aspect() >= film.aspect ? film.lens : 2 * Math.atan(Math.tan(film.lens / 2) * film.aspect / aspect());
    } else { [forward, right, up] = axes(); place = add(eye.at, forward, -eye.far); }
    const f = 1 / Math.tan(angle / 2), near = 0.02, far = 200;
    const project = [f / aspect(), 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0];
    const turn = [right[0], up[0], -forward[0], 0, right[1], up[1], -forward[1], 0, right[2], up[2], -forward[2], 0, -dot(right, place), -dot(up, place), dot(forward, place), 1];
    return { matrix: times(project, turn), place, right, up };
  }

  const NEUTRAL = new Float32Array(4);
  function pose(item, at) {
    gl.uniform1i(uniform.skinned, item.matrices ? 1 : 0);
    if (item.matrices) {
      const size = 12 * item.joints, steps = item.matrices.length / size, start = size * Math.min(at, steps - 1);
      gl.uniform4fv(uniform.rows, item.matrices.subarray(start, start + size));
    }
    const lean = NEUTRAL.slice();
    if (item.leans) {
      const steps = item.leans.length / item.basis, start = item.basis * Math.min(at, steps - 1);
      lean.set(item.leans.subarray(start, start + item.basis));
    }
    gl.uniform4fv(uniform.lean, lean);
  }
  function paint(item, tint, opacity) {
    gl.bindVertexArray(item.array);
    const lit = item.layer.kind !== undefined;
    if (!item.layer.colors && item.layer.kind === "mesh") gl.vertexAttrib3f(2, 1, 1, 1);
    gl.uniform1i(uniform.lit, lit ? 1 : 0); gl.uniform1i(uniform.textured, item.texture ? 1 : 0);
    if (item.texture) gl.bindTexture(gl.TEXTURE_2D, item.texture);
    gl.uniform3fv(uniform.tint, tint); gl.uniform1f(uniform.opacity, opacity);
    if (item.kind) gl.drawElements(item.mode, item.count, item.kind, 0);
    else gl.drawArrays(item.mode, 0, item.count);
  }
  const WHITE = [1, 1, 1];
  function draw() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2), wide = Math.round(screen.clientWidth * ratio), tall = Math.round(screen.clientHeight * ratio);
    if (!wide || !tall) return;
    for (const canvas of [screen, words]) if (canvas.width !== wide || canvas.height !== tall) { canvas.width = wide; canvas.height = tall; }
    gl.viewport(0, 0, wide, tall);
    gl.clearColor(0.957, 0.961, 0.969, 1); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const { matrix, place, right, up } = lens();
    gl.uniformMatrix4fv(uniform.camera, false, matrix);
    gl.uniform3fv(uniform.eye, place); gl.uniform3fv(uniform.right, right); gl.uniform3fv(uniform.up, up);
    if (film && hooks.film) {
      const image = hooks.film(index);
      if (image && image !== film.image && image.complete && image.naturalWidth) { upload(film.texture, image); film.image = image; }
    }
    for (const item of items) {
      const { layer } = item;
      if (!on[layer.name]) continue;
      if (film && (eye.through ? item === film.near || item === film.edges : item === film.far)) continue;
      if (eye.through && layer.name === "floor") continue;
      if (layer.kind === "bones") {
        gl.bindVertexArray(item.array); buildBones(item, index);
      }
      if (item.all) {
        const steps = item.all.length / item.size, start = item.size * Math.min(Math.floor(index / layer.every), steps - 1), now = item.all.subarray(start, start + item.size);
        gl.bindBuffer(gl.ARRAY_BUFFER, item.places); gl.bufferData(gl.ARRAY_BUFFER, now, gl.DYNAMIC_DRAW);
        gl.bindBuffer(gl.ARRAY_BUFFER, item.normals); gl.bufferData(gl.ARRAY_BUFFER, smoothNormals(now, item.faces), gl.DYNAMIC_DRAW);
      }
      pose(item, index);
      if (layer.kind === "bones") { // before the body around it, in depth among themselves
        gl.depthRange(0, 0.05); paint(item, WHITE, 1); gl.depthRange(0, 1);
      } else paint(item, layer.colour || WHITE, 1);
    }
    if (on.ghosts) drawGhosts();
    drawWords(matrix, wide, tall, ratio);
  }
  function drawGhosts() {
    gl.enable(gl.BLEND); gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.CULL_FACE);
    const steps = Math.min(GHOSTS, data.count);
    for (let g = 0; g < steps; g++) {
      const at = Math.round(g * (data.count - 1) / Math.max(steps - 1, 1));
      for (const item of items) if (item.matrices && on[item.layer.name] && at !== index) { pose(item, at); paint(item, item.layer.colour || WHITE, 0.22); }
    }
    gl.disable(gl.BLEND); gl.disable(gl.CULL_FACE);
  }
  function drawWords(matrix, wide, tall, ratio) {
    const pen = words.getContext("2d");
    pen.clearRect(0, 0, wide, tall);
    if (!on.floor || eye.through) return;
    pen.font = `${Math.round(11 * ratio)}px system-ui, sans-serif`; pen.fillStyle = "#4a505c"; pen.textAlign = "center";
    for (const [p, text] of labels) {
      const q = [0, 1, 2, 3].map(r => matrix[r] * p[0] + matrix[4 + r] * p[1] + matrix[8 + r] * p[2] + matrix[12 + r]);
      if (q[3] > 0.05) pen.fillText(text, (q[0] / q[3] + 1) / 2 * wide, (1 - q[1] / q[3]) / 2 * tall + 13 * ratio);
    }
  }

  // drag turns, shift or the right button moves, wheel (once it is clicked) and two fingers zoom
  const fingers = new Map();
  let spread = 0;
  screen.addEventListener("pointerdown", event => { screen.focus({ preventScroll: true }); screen.setPointerCapture(event.pointerId); fingers.set(event.pointerId, [event.clientX, event.clientY]); spread = 0; });
  for (const name of ["pointerup", "pointercancel"]) screen.addEventListener(name, event => fingers.delete(event.pointerId));
  screen.addEventListener("contextmenu", event => event.preventDefault());
  screen.addEventListener("pointermove", event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size > 1) {
      const [a, b] = [...fingers.values()], now = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (spread) zoom(spread / now);
      spread = now;
    } else if (event.shiftKey || event.buttons & 2) {
      const [, right, up] = axes(), scale = 2 * Math.tan(LENS / 2) * eye.far / screen.clientHeight;
      eye.at = add(add(eye.at, right, -dx * scale), up, dy * scale);
    } else turn(-dx * 0.009, dy * 0.009);
    draw();
  });
  screen.addEventListener("wheel", event => {
    if (document.activeElement !== screen) return;
    event.preventDefault(); zoom(Math.exp(event.deltaY * 0.001)); draw();
  }, { passive: false });
  screen.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08] }[event.key];
    if (event.shiftKey && step) { turn(...step); draw(); }
    else if (event.key === "+" || event.key === "-") { zoom(event.key === "+" ? 0.9 : 1.1); draw(); }
    else return;
    event.preventDefault(); event.stopPropagation();
  });
  function turn(yaw, pitch) { eye.through = false; eye.yaw += yaw; eye.pitch = Math.min(1.56, Math.max(-1.2, eye.pitch + pitch)); }
  function zoom(factor) { eye.through = false; eye.far = Math.min(80, Math.max(0.1, eye.far * factor)); }
  new ResizeObserver(() => draw()).observe(screen);

  function button(text, act, pressed) {
    const made = document.createElement("button");
    made.type = "button"; made.textContent = text; made.addEventListener("click", () => act(made));
    if (pressed !== undefined) made.setAttribute("aria-pressed", pressed);
    return made;
  }
  const tools = document.createElement("div"), cameras = document.createElement("div"), layers = document.createElement("div");
  tools.className = "tools"; cameras.setAttribute("role", "group"); layers.setAttribute("role", "group");
  cameras.setAttribute("aria-label", "view from"); layers.setAttribute("aria-label", "layers");
  for (const name of ["front", "side", "back", "top", ...(film ? ["camera", "all"] : [])]) cameras.append(button(name, () => view(name)));
  for (const name of Object.keys(on)) layers.append(button(name, made => {
    const group = data.layers.filter(layer => layer.group && layer.group === (data.layers.find(l => l.name === name) || {}).group);
    for (const layer of group) on[layer.name] = false; // one of a group at a time
    on[name] = group.length ? true : !on[name];
    for (const other of layers.children) other.setAttribute("aria-pressed", on[other.textContent]);
    draw();
  }, on[name]));
  tools.append(cameras, layers); box.after(tools);
  view("");
  return {
    show(at) { index = at; draw(); }, draw, view,
    state: () => ({ up: lens().up, right: lens().right, yaw: eye.yaw, pitch: eye.pitch, far: eye.far, through: eye.through, on: { ...on }, index, error: gl.getError() }),
  };
}
