// The overlay: an SVG over the picture that picks boxes, shows handles and labels, takes mouse, touch and keys, and
// writes the pose under way straight into the pythreejs objects. Python hears `live` poses now and then, and one
// `commit` message per gesture.

const LIVE_INTERVAL_MS = 50;
const CLICK_SLOP_PX = 3;
const RING_STEPS = 48;
const HANDLE_GAP_PX = 16;
const AXIS_COLORS = ["#f2545b", "#4cc38a", "#5b9dff"];
const RING_COLOR = "#ffc53d";
const PROBLEM_COLOR = "#ff5a4d";
// Names that no object has, for what else of the 3D view is moved from here.
const CAMERA_NAME = "/camera";
const ROOT_NAME = "/root";

// SVG elements by name: `put` makes or updates one, `sweep` removes those not put since the last sweep.
class SvgLayer {
  constructor(root) {
    Object.assign(this, { root, nodes: new Map(), used: new Set() });
  }
  put(name, tag, attributes, text = null) {
    let node = this.nodes.get(name);
    if (!node) {
      node = this.root.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
      this.nodes.set(name, node);
    }
    for (const [key, value] of Object.entries(attributes)) {
      if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
    }
    if (text !== null && node.textContent !== text) node.textContent = text;
    this.used.add(name);
  }
  sweep() {
    for (const [name, node] of this.nodes) {
      if (this.used.has(name)) continue;
      node.remove();
      this.nodes.delete(name);
    }
    this.used.clear();
  }
}

// The pythreejs groups that show the boxes; poses are written into them without a message to Python.
class ThreeMirror {
  constructor(model) {
    Object.assign(this, { model, groups: new Map() });
  }
  async link() {
    const references = Object.entries(this.model.get("mirror"));
    const models = await Promise.all(
      references.map(([, reference]) => this.model.widget_manager.get_model(reference.slice("IPY_MODEL_".length))),
    );
    this.groups = new Map(references.map(([id], i) => [id, models[i]]));
  }
  show(id, { t, q, s }) {
    const group = this.groups.get(id);
    if (!group?.obj) return;
    group.obj.position.fromArray(t);
    group.obj.quaternion.fromArray(q);
    group.obj.scale.fromArray(s);
    group.trigger("childchange", group);
  }
  look({ position, quaternion }) {
    const [camera, root] = [this.groups.get(CAMERA_NAME), this.groups.get(ROOT_NAME)];
    if (!camera?.obj) return;
    camera.obj.position.fromArray(position);
    camera.obj.quaternion.fromArray(quaternion);
    root?.trigger("childchange", root);
  }
}

// Calls `send` at most once per interval, and always with the last value.
function throttled(send, interval) {
  let timer = null;
  let latest = null;
  const flush = () => {
    timer = null;
    if (latest) send(latest);
    latest = null;
  };
  return {
    push(value) {
      latest = value;
      timer ??= setTimeout(flush, interval);
    },
    drop() {
      clearTimeout(timer);
      timer = latest = null;
    },
  };
}

function hasWebGL() {
  try {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(context);
  } catch {
    return false;
  }
}

function buildSurface(el) {
  el.classList.add("ag-overlay");
  el.innerHTML = `
    <svg tabindex="0" role="application" data-lm-suppress-shortcuts="true" data-testid="scene-overlay"
      aria-label="Boxes of the scene over its picture" aria-roledescription="3D box editor">
      <desc>Tab goes through the objects. Arrow keys move the selected one on the floor, Shift with up or down lifts it,
        q and e turn it, d duplicates, Delete removes, Escape cancels or deselects, Control+Z undoes, o looks around the
        room and back.</desc>
      <rect class="ag-ground" width="100%" height="100%"></rect>
      <g data-layer="stage"></g><g data-layer="boxes"></g><g data-layer="labels"></g><g data-layer="handles"></g>
    </svg>
    <div class="ag-spoken" aria-live="polite"></div>`;
  const layer = (name) => new SvgLayer(el.querySelector(`[data-layer=${name}]`));
  const [stage, boxes, labels, handles] = ["stage", "boxes", "labels", "handles"].map(layer);
  return { svg: el.querySelector("svg"), spoken: el.querySelector(".ag-spoken"), stage, boxes, labels, handles };
}

// What a gesture must know of the room, in the scene's own frame.
function readRoom(model) {
  const [right, up, forward] = model.get("floor_basis");
  const camera = new PinholeCamera(model.get("size_px"), model.get("focal"));
  const limits = { snap: model.get("snap"), maxDepth: model.get("max_depth_m"), floor: model.get("floor_m") };
  return { camera, right, up, forward, origin: [0, 0, 0], ...limits };
}

// The same room as the eye sees it.
function roomFrom(orbit, home) {
  const [right, up, forward] = [home.right, home.up, home.forward].map((axis) => orbit.direction(axis));
  return { ...home, right, up, forward, origin: orbit.point([0, 0, 0]) };
}

const pointsAttribute = (pixels) => pixels.map((p) => p.map((x) => x.toFixed(1)).join(",")).join(" ");

function drawStage(state, layer) {
  if (!state.orbit.isHome) {
    const { floor, frustum } = stageSegments(state.orbit, state.home);
    const path = (segments) =>
      segments
        .map(([a, b]) => seenSegment(a, b, state.room.camera))
        .filter(Boolean)
        .map(([a, b]) => `M${pointsAttribute([a])}L${pointsAttribute([b])}`)
        .join("");
    layer.put("floor", "path", { d: path(floor), class: "ag-floor" });
    layer.put("frustum", "path", { d: path(frustum), class: "ag-frustum", "data-testid": "frustum" });
  }
  layer.sweep();
}

function drawBoxes(state, layer) {
  for (const box of [...state.boxes].sort((a, b) => a.t[2] - b.t[2])) {
    const pixels = boxCorners(box).map((corner) => state.room.camera.project(corner));
    const chosen = box.id === state.selected;
    const fill = chosen ? 0.16 : box.id === state.hovered ? 0.12 : 0;
    const hull = { points: pointsAttribute(convexHull(pixels)), fill: box.color, "fill-opacity": fill };
    layer.put(`hull ${box.id}`, "polygon", { ...hull, "data-testid": `box-${box.id}` });
    const edges = state.drawsEdges || chosen || box.problem ? EDGES : [];
    const path = edges.map(([a, b]) => `M${pointsAttribute([pixels[a]])}L${pointsAttribute([pixels[b]])}`).join("");
    const width = chosen ? 2.5 : 1.4;
    const stroke = box.problem ? PROBLEM_COLOR : box.color;
    const dash = box.problem ? "6 4" : "none";
    const line = { stroke, "stroke-width": width, "stroke-dasharray": dash, fill: "none" };
    layer.put(`edges ${box.id}`, "path", { d: path, ...line });
  }
  layer.sweep();
}

// Labels sit above their boxes (and the handle of the chosen one), inside the picture; one that would cover another
// moves above it.
function drawLabels(state, layer) {
  const { camera, up } = state.room;
  const placed = [];
  const anchors = state.boxes.map((box) => ({ box, at: camera.project(plus(box.t, times(up, reach(box, up)))) }));
  for (const { box, at } of anchors.sort((a, b) => b.at[1] - a.at[1])) {
    const isChosen = box.id === state.selected;
    const words = box.problem ? `\u26a0 ${box.label}` : box.label;
    const half = words.length * (isChosen ? 3.9 : 3.4) + 4; // the chosen one is bold
    const right = clamp(at[0], half, camera.width - half);
    const lowest = clamp(at[1] - (isChosen ? 14 : 5), 13, camera.height - 5);
    let down = lowest;
    const covers = (other) => Math.abs(other.right - right) < half + other.half && Math.abs(other.down - down) < 13;
    for (let tries = 0; tries < 12 && placed.some(covers); tries++) down -= 13;
    if (down < 13) down = lowest;
    placed.push({ right, down, half });
    const chosen = isChosen ? "ag-label ag-chosen" : "ag-label";
    const place = { x: right.toFixed(1), y: down.toFixed(1), class: chosen, "data-testid": `label-${box.id}` };
    layer.put(box.id, "text", place, words);
  }
  layer.sweep();
}

// Unit vectors, in the box's frame, of the faces that the camera at the origin sees: handles of hidden ones would
// bury small boxes. The top comes first.
function facesTowardsCamera(box) {
  const faces = [2, 0, 1].flatMap((axis) => [1, -1].map((sign) => [0, 1, 2].map((i) => (i === axis ? sign : 0))));
  return faces.filter((face) => dot(quatRotate(box.q, face), boxPoint(box, face)) < 0);
}

function drawHandles(state, layer) {
  const box = state.boxes.find((one) => one.id === state.selected);
  if (box) {
    const { camera, up } = state.room;
    const taken = [camera.project(box.t)]; // its middle is where one grabs the box itself
    const near = (pixel) => taken.some((other) => length(minus(other, pixel)) < HANDLE_GAP_PX);
    const put = (name, pixel, color, label) => {
      const held = state.gesture?.handle === name;
      if (!held && (!camera.sees(pixel, 4) || near(pixel))) return;
      taken.push(pixel);
      const place = { cx: pixel[0].toFixed(1), cy: pixel[1].toFixed(1), r: 7, fill: color, class: "ag-handle" };
      const names = { "data-handle": name, "data-testid": `handle-${name}`, "aria-label": label };
      layer.put(name, "circle", { ...place, ...names });
    };
    const foot = minus(box.t, times(up, reach(box, up)));
    const front = quatRotate(box.q, [0, -1, 0]);
    const level = unit(minus(front, times(up, dot(front, up) * 0.999)));
    const radius = 0.62 * Math.hypot(reach(box, level) * 2, reach(box, cross(up, level)) * 2);
    const ring = Array.from({ length: RING_STEPS + 1 }, (_, k) => (k / RING_STEPS) * 2 * Math.PI).map((angle) =>
      camera.project(plus(foot, times(quatRotate(quatAbout(up, angle), level), radius))),
    );
    layer.put("ring", "polyline", { points: pointsAttribute(ring), stroke: RING_COLOR, class: "ag-ring" });
    put("yaw", ring.find((pixel) => camera.sees(pixel, 8)) ?? ring[0], RING_COLOR, "turn");
    for (const face of facesTowardsCamera(box)) {
      const axis = face.findIndex((side) => side !== 0);
      const positive = face[axis] > 0;
      const label = `${["width", "depth", "height"][axis]}, ${positive ? "positive" : "negative"} side`;
      put(`size-${axis}${positive ? "+" : "-"}`, camera.project(boxPoint(box, face)), AXIS_COLORS[axis], label);
    }
  }
  layer.sweep();
}
