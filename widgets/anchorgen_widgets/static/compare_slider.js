// Two pictures over each other: the one after is clipped to the right of the divider.

const KEY_STEP = 0.02;
const LARGE_STEP = 0.1;
const CHIP_GAP_PX = 8;

const clamped = (value) => Math.min(1, Math.max(0, value));

function buildCompare() {
  const image = (side) => element("img", { alt: "", draggable: "false", "data-testid": `compare-${side}` });
  const chip = () => element("span", { class: "ag-plate ag-chip" });
  const parts = { before: image("before"), after: image("after"), left: chip(), right: chip() };
  const arrows = icon("M1 8l4-4v8zM15 8l-4-4v8z");
  parts.divider = element(
    "div",
    { class: "ag-divider", role: "slider", tabindex: 0, "data-testid": "compare-divider" },
    element("div", { class: "ag-knob" }, arrows),
  );
  setAttributes(parts.divider, { "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": 100 });
  parts.empty = element("span", { class: "ag-empty" }, "no pictures yet");
  const { before, after, left, right, divider, empty } = parts;
  parts.frame = element("div", { class: "ag-frame" }, before, after, left, right, divider, empty);
  parts.root = element("div", { class: "ag-small ag-compare", "data-testid": "compare-slider" }, parts.frame);
  return parts;
}

function drawDivider(parts, position, labels) {
  const { divider, after, left, right, frame } = parts;
  const percent = Math.round(position * 100);
  divider.style.left = `${position * 100}%`;
  after.style.clipPath = `inset(0 0 0 ${position * 100}%)`;
  setAttributes(divider, {
    "aria-valuenow": percent,
    "aria-valuetext": `${percent}% ${labels[0]}, ${100 - percent}% ${labels[1]}`,
  });
  // A label shows while its own picture has room for it.
  const room = (share, chip) => share * frame.clientWidth >= chip.offsetWidth + 2 * CHIP_GAP_PX;
  left.style.visibility = room(position, left) ? "visible" : "hidden";
  right.style.visibility = room(1 - position, right) ? "visible" : "hidden";
}

function listenToDivider({ frame, divider }, state, move) {
  const positionOf = (event) => {
    const box = frame.getBoundingClientRect();
    return clamped((event.clientX - box.left) / box.width);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || divider.hidden) return;
    event.preventDefault();
    divider.focus({ preventScroll: true });
    frame.setPointerCapture(event.pointerId);
    state.dragging = true;
    move(positionOf(event));
  });
  frame.addEventListener("pointermove", (event) => state.dragging && move(positionOf(event)));
  const end = () => {
    if (!state.dragging) return;
    state.dragging = false;
    move(state.position, true);
  };
  frame.addEventListener("pointerup", end);
  frame.addEventListener("pointercancel", end);
  frame.addEventListener("dblclick", () => divider.hidden || move(0.5, true));
  divider.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? LARGE_STEP : KEY_STEP;
    const steps = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -0.1, PageUp: 0.1 };
    const ends = { Home: 0, End: 1 };
    const target = ends[event.key] ?? (event.key in steps ? state.position + steps[event.key] : null);
    if (target === null) return;
    event.preventDefault();
    event.stopPropagation();
    // Whole hundredths: 0.5 + 0.02 three times is 0.56, as one would expect.
    move(clamped(Math.round(target * 100) / 100), true);
  });
}

function showPictures(parts, model) {
  for (const side of ["before", "after"]) {
    URL.revokeObjectURL(parts[side].src);
    setAttributes(parts[side], { src: pictureAddress(model.get(`${side}_webp`)) || null });
  }
  const { before, after, left, right, divider, empty } = parts;
  const isEmpty = !before.src || !after.src;
  [before, after, left, right, divider].forEach((part) => (part.hidden = isEmpty));
  empty.hidden = !isEmpty;
}

function showFrame(parts, model) {
  const [width, height] = model.get("size_px");
  const [before, after] = model.get("labels");
  parts.root.style.width = `${width + 2 * ROOT_PADDING_PX}px`;
  parts.frame.style.aspectRatio = `${width} / ${height}`;
  parts.before.alt = parts.left.textContent = before;
  parts.after.alt = parts.right.textContent = after;
  parts.divider.setAttribute("aria-label", `divider between ${before} and ${after}`);
}

function render({ model, el }) {
  const parts = buildCompare();
  const state = { position: model.get("position"), dragging: false };
  const saver = createSaver(model);
  const draw = () => drawDivider(parts, state.position, model.get("labels"));
  const move = (position, ended = false) => {
    state.position = position;
    draw();
    model.set("position", position);
    if (ended) saver.now();
    else saver.soon();
  };
  const pull = () => {
    if (!state.dragging) state.position = model.get("position"); // else it answers an earlier move
    draw();
  };
  const pullPictures = () => (showPictures(parts, model), draw());
  const pullFrame = () => (showFrame(parts, model), draw());
  listenToDivider(parts, state, move);
  const sizes = new ResizeObserver(draw);
  sizes.observe(parts.frame);
  const stop = mount(model, el, parts.root, [
    watch(model, ["position"], pull),
    watch(model, ["before_webp", "after_webp"], pullPictures),
    watch(model, ["size_px", "labels"], pullFrame),
    () => sizes.disconnect(),
    () => [parts.before, parts.after].forEach((image) => URL.revokeObjectURL(image.src)),
  ]);
  pullFrame();
  pullPictures();
  return stop;
}

export default { render };
