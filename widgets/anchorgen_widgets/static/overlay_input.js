// Mouse, touch and keys of the overlay, and the module that anywidget loads.

const modifiers = (event) => ({ snap: event.ctrlKey || event.metaKey, alt: event.altKey });

function gestureFor(event, state, pixel) {
  const direction = state.room.camera.ray(pixel);
  const handle = event.target.dataset?.handle;
  const chosen = state.chosen();
  if (handle && chosen) {
    const [, axis, sign] = handle.match(/^size-(\d)([+-])$/) ?? [];
    if (!axis) return { box: chosen, kind: "rotate", handle, update: beginYaw(chosen, pixel, state.room) };
    const update = beginResize(chosen, pixel, state.room, Number(axis), sign === "+" ? 1 : -1);
    return { box: chosen, kind: "resize", handle, update };
  }
  const hits = boxesAlong(direction, state.boxes, state.room.camera);
  // The smallest box, unless another under the pointer was chosen on purpose: by clicking again, by Tab or in a list.
  const onPurpose = chosen && chosen.id !== state.front;
  const hit = (onPurpose && hits.find(({ box }) => box === chosen)) || hits[0];
  if (!hit) return null;
  if (hit.box !== chosen) state.front = hit.box.id;
  const grabbed = times(direction, hit.distance);
  const behind = hits[hits.indexOf(hit) + 1] ?? hits[0];
  const reselects = hit.box === chosen ? behind.box.id : null;
  if (!event.shiftKey) return { box: hit.box, kind: "move", update: beginMove(hit.box, pixel, state.room), reselects };
  return { box: hit.box, kind: "lift", update: beginLift(hit.box, pixel, state.room, grabbed), reselects };
}

function listenToPointer(svg, state, actions) {
  const pixelOf = (event) => {
    const frame = svg.getBoundingClientRect();
    const { width, height } = state.room.camera;
    const across = (event.clientX - frame.left) / frame.width;
    const down = (event.clientY - frame.top) / frame.height;
    return [across * width, down * height];
  };
  const hover = (pixel, handle) => {
    const hits = boxesAlong(state.room.camera.ray(pixel), state.boxes, state.room.camera);
    const hovered = handle ? state.selected : (hits[0]?.box.id ?? "");
    svg.style.cursor = handle ? "grab" : hovered ? "move" : "default";
    if (hovered !== state.hovered) Object.assign(state, { hovered, dirty: true });
  };
  let looking = null; // {from, view} while the eye is dragged round
  const lookFrom = (event, pixel) => {
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    looking = { from: pixel, view: [...state.view()] };
  };
  // JupyterLab opens its menu also where the browser's was prevented.
  svg.addEventListener("contextmenu", (event) => (event.preventDefault(), event.stopPropagation()));
  svg.addEventListener("pointerdown", (event) => {
    if (state.gesture || looking) return;
    svg.focus({ preventScroll: true });
    const pixel = pixelOf(event);
    if (event.button === 2 || event.button === 1) return lookFrom(event, pixel);
    if (event.button !== 0) return;
    const gesture = gestureFor(event, state, pixel);
    if (!gesture && !state.orbit.isHome) return lookFrom(event, pixel);
    if (!gesture) return actions.select("");
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    actions.begin({ ...gesture, from: pixel });
    actions.select(gesture.box.id);
  });
  svg.addEventListener("pointermove", (event) => {
    const pixel = pixelOf(event);
    const { gesture } = state;
    if (looking) return actions.look(orbited(looking.view, minus(pixel, looking.from)));
    if (!gesture?.from) return hover(pixel, event.target.dataset?.handle);
    if (!gesture.moved && length(minus(pixel, gesture.from)) <= CLICK_SLOP_PX) return;
    const pose = gesture.update(pixel, modifiers(event));
    if (pose) actions.pose(pose);
  });
  svg.addEventListener("wheel", (event) => {
    if (state.orbit.isHome || state.gesture) return;
    event.preventDefault();
    actions.look(orbited(state.view(), [0, 0], Math.exp(event.deltaY * 0.001)));
  });
  listenToDrops(svg, pixelOf, actions);
  svg.addEventListener("pointerup", () => {
    const { gesture } = state;
    if (looking) return void (looking = null);
    if (!gesture?.from) return;
    actions.end(true);
    if (gesture.moved || !gesture.reselects) return;
    state.front = "";
    actions.select(gesture.reselects);
  });
  svg.addEventListener("pointercancel", () => {
    looking = null;
    if (state.gesture) actions.end(false);
  });
  svg.addEventListener("pointerleave", () => !state.gesture && Object.assign(state, { hovered: "", dirty: true }));
}

const OBJECT_TYPE = "application/x-anchorgen-object";

// Objects of a library, dragged onto the picture.
function listenToDrops(svg, pixelOf, actions) {
  svg.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes(OBJECT_TYPE)) event.preventDefault();
  });
  svg.addEventListener("drop", (event) => {
    const key = event.dataTransfer.getData(OBJECT_TYPE);
    if (!key) return;
    event.preventDefault();
    event.stopPropagation();
    actions.drop(key, pixelOf(event));
  });
}

// Keys with Control that are not the editor's own (save, find, ...) stay JupyterLab's; all others are kept from its
// shortcuts, or "b" would insert a cell. Lumino reads the attribute in its own listener, which runs after this one.
function shareShortcuts(svg) {
  const decide = (event) => {
    if (event.target !== svg) return;
    const control = event.ctrlKey || event.metaKey;
    const own = !control || /^([zyZY]|Arrow(Left|Right|Up|Down))$/.test(event.key);
    if (own) svg.setAttribute("data-lm-suppress-shortcuts", "true");
    else svg.removeAttribute("data-lm-suppress-shortcuts");
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}

const NUDGES = {
  ArrowLeft: { step: [-1, 0, 0] },
  ArrowRight: { step: [1, 0, 0] },
  ArrowUp: { step: [0, 0, 1] },
  ArrowDown: { step: [0, 0, -1] },
  q: { turn: 1 },
  e: { turn: -1 },
};
const LIFTS = { ArrowUp: { step: [0, 1, 0] }, ArrowDown: { step: [0, -1, 0] } };
const COMMANDS = { Delete: "remove", Backspace: "remove", d: "duplicate" };

// A held key repeats; all its repeats are one gesture, committed when it is let go.
function nudge(event, state, actions) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const way = (event.shiftKey && LIFTS[key]) || NUDGES[key];
  const box = state.chosen();
  if (!way || !box || (way.turn && (event.ctrlKey || event.metaKey))) return false;
  const kind = way.turn ? "rotate" : event.shiftKey && LIFTS[key] ? "lift" : "move";
  if (state.gesture && state.gesture.key !== event.key) return true;
  if (!state.gesture) actions.begin({ box, kind, key: event.key });
  const pose = nudged(box, state.room, way, modifiers(event));
  if (pose) actions.pose(pose);
  return true;
}

function tabTo(event, state, actions) {
  const ordered = [...state.boxes].sort((a, b) => a.t[0] - b.t[0]);
  const next = ordered.findIndex((box) => box.id === state.selected) + (event.shiftKey ? -1 : 1);
  const wraps = event.shiftKey && !state.selected;
  const box = wraps ? null : ordered[next];
  actions.select(box?.id ?? "");
  return Boolean(box);
}

function listenToKeys(svg, state, actions) {
  const release = () => state.gesture?.key && actions.end(true);
  const handle = (event) => {
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "Escape") {
      if (state.gesture) actions.end(false);
      else if (state.selected) actions.select("");
      else svg.blur();
      return true;
    }
    if (state.gesture?.from) return true;
    const looks = key === "Home" || (!control && key === "o");
    if (looks && state.gesture) actions.end(true); // of a key that is still held
    if (looks) return actions.look(key === "Home" || !state.orbit.isHome ? HOME_VIEW : ORBIT_START) ?? true;
    if (control && key === "z") return actions.command(event.shiftKey ? "redo" : "undo") ?? true;
    if (control && key === "y") return actions.command("redo") ?? true;
    if (key === "Tab") return tabTo(event, state, actions);
    if (nudge(event, state, actions)) return true;
    if (control || event.altKey || !COMMANDS[key] || !state.chosen()) return false;
    return event.repeat || (actions.command(COMMANDS[key]) ?? true); // one a press, however long
  };
  svg.addEventListener("keydown", (event) => {
    if (!handle(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  svg.addEventListener("keyup", release);
  svg.addEventListener("blur", release);
}

async function render({ model, el }) {
  const surface = buildSurface(el);
  const mirror = new ThreeMirror(model);
  const state = createState(model, mirror);
  const actions = createActions(model, state, surface.spoken);
  const resize = () => {
    const [width, height] = model.get("size_px");
    surface.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    el.style.setProperty("--ag-width", `${width}px`);
    el.style.setProperty("--ag-height", `${height}px`);
  };
  const pull = () => {
    resize();
    state.pull();
    el.closest(".ag-view")?.classList.toggle("ag-orbiting", !state.orbit.isHome);
  };
  const relink = () => mirror.link().then(pull, (error) => console.warn("anchorgen: no 3D view to mirror", error));
  const watched = ["boxes", "settled", "size_px", "focal", "floor_basis", "draws_edges", "selected", "orbit", "floor_m"];
  watched.forEach((name) => model.on(`change:${name}`, pull));
  model.on("change:mirror", relink);

  pull();
  await relink();
  listenToPointer(surface.svg, state, actions);
  listenToKeys(surface.svg, state, actions);
  const unshare = shareShortcuts(surface.svg);
  model.set("webgl", hasWebGL());
  model.save_changes();

  let frame = 0;
  const draw = () => {
    frame = requestAnimationFrame(draw);
    if (!state.dirty) return;
    state.dirty = false;
    drawStage(state, surface.stage);
    drawBoxes(state, surface.boxes);
    drawLabels(state, surface.labels);
    drawHandles(state, surface.handles);
  };
  draw();
  return () => {
    cancelAnimationFrame(frame);
    unshare();
    watched.forEach((name) => model.off(`change:${name}`, pull));
    model.off("change:mirror", relink);
  };
}

export default { render };
