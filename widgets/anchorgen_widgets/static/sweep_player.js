// The pictures of a sweep, one at a time. The page keeps the time: each change of `index`, whoever made it, starts one
// wait for the next step, so that two views of one player do not play it twice as fast.

const PLAY = "M4 2v12l10-6z";
const PAUSE = "M3 2h4v12H3zM9 2h4v12H9z";
const LOOP = "M8 2.5V.2L4.6 3.4 8 6.6V4.2a3.9 3.9 0 1 1-3.9 3.9H2.4A5.6 5.6 0 1 0 8 2.5z";
const PING_PONG = "M.5 8l4-4v3h7V4l4 4-4 4V9h-7v3z";

function buildPlayer() {
  const button = (name) =>
    element("button", { type: "button", class: "ag-icon-button", "data-testid": `sweep-${name}` });
  const parts = { play: button("play"), mode: button("mode") };
  parts.stack = element("div", { class: "ag-stack", "data-testid": "sweep-picture" });
  parts.name = element("span", { class: "ag-name" });
  parts.value = element("output", { class: "ag-value", "data-testid": "sweep-value" });
  parts.range = element("input", { type: "range", min: 0, step: 1, "data-testid": "sweep-range" });
  const heading = element("div", { class: "ag-heading" }, parts.name, parts.value);
  const bar = element("div", { class: "ag-bar" }, parts.play, parts.range, parts.mode);
  const attributes = { class: "ag-small ag-player", role: "group", "data-testid": "sweep-player" };
  parts.root = element("div", attributes, parts.stack, heading, bar);
  return parts;
}

function stepAfter(index, count, mode, direction) {
  if (mode === "loop") return (index + 1) % count;
  return index + direction < 0 || index + direction >= count ? index - direction : index + direction;
}

// One timer a view, started anew by every change; see above.
function createTimer(model, step) {
  let timer = null;
  let direction = 1;
  let last = model.get("index");
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    if (model.get("playing")) timer = setTimeout(tick, model.get("interval_ms"));
  };
  const tick = () => {
    const count = model.get("captions").length;
    if (count > 1) step(stepAfter(model.get("index"), count, model.get("mode"), direction));
    start();
  };
  const follow = () => {
    const index = model.get("index");
    const count = model.get("captions").length;
    if (Math.abs(index - last) === 1) direction = index - last;
    if (index === 0) direction = 1;
    if (index === count - 1) direction = -1;
    last = index;
    start();
  };
  return { start, stop, follow };
}

function listenToPlayer(parts, model, goTo) {
  const save = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const toggle = () => save("playing", !model.get("playing"));
  const byHand = (index) => {
    model.set("playing", false);
    goTo(index);
  };
  parts.play.addEventListener("click", toggle);
  parts.mode.addEventListener("click", () => save("mode", model.get("mode") === "loop" ? "ping-pong" : "loop"));
  parts.range.addEventListener("input", () => byHand(Number(parts.range.value)));
  parts.stack.addEventListener("click", () => parts.range.focus({ preventScroll: true }));
  parts.root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const index = model.get("index");
    const last = model.get("captions").length - 1;
    const targets = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1 };
    const target = { ...targets, Home: 0, End: last }[event.key];
    const isButton = event.target.tagName === "BUTTON"; // space presses those by itself
    if (target === undefined && (event.key !== " " || isButton)) return;
    event.preventDefault();
    event.stopPropagation();
    if (target === undefined) toggle();
    else byHand(Math.min(last, Math.max(0, target)));
  });
}

function drawPlayer(parts, model) {
  const captions = model.get("captions");
  const index = Math.min(model.get("index"), captions.length - 1);
  const playing = model.get("playing");
  [...parts.stack.children].forEach((image, k) => image.classList.toggle("ag-shown", k === index));
  parts.value.textContent = captions[index];
  parts.range.value = index;
  setAttributes(parts.range, { "aria-valuetext": captions[index] });
  const loops = model.get("mode") === "loop";
  const show = (button, path, label) => {
    if (button.getAttribute("aria-label") === label) return;
    setAttributes(button, { "aria-label": label, title: label });
    button.replaceChildren(icon(path));
  };
  show(parts.play, playing ? PAUSE : PLAY, playing ? "pause" : "play");
  show(parts.mode, loops ? LOOP : PING_PONG, loops ? "starts again at the end" : "goes back at the end");
}

function render({ model, el }) {
  const parts = buildPlayer();
  const draw = () => drawPlayer(parts, model);
  const goTo = (index) => {
    model.set("index", index);
    model.save_changes();
  };
  const timer = createTimer(model, goTo);
  const forget = () => [...parts.stack.children].forEach((image) => URL.revokeObjectURL(image.src));
  const pullPictures = () => {
    forget();
    const captions = model.get("captions");
    const words = (k) => `${model.get("name")} ${captions[k] ?? ""}`.trim();
    const picture = (bytes, k) => element("img", { src: pictureAddress(bytes), alt: words(k), draggable: "false" });
    parts.stack.replaceChildren(...model.get("pictures_webp").map(picture));
    setAttributes(parts.range, { max: captions.length - 1 });
    parts.value.style.minWidth = `${Math.max(...captions.map((caption) => caption.length))}ch`;
    draw();
  };
  const pullFrame = () => {
    const [width, height] = model.get("size_px");
    const name = model.get("name");
    parts.root.style.width = `${width + 2 * ROOT_PADDING_PX}px`;
    parts.stack.style.aspectRatio = `${width} / ${height}`;
    Object.assign(parts.name, { textContent: name, title: name });
    parts.root.setAttribute("aria-label", name ? `sweep of ${name}` : "sweep");
    parts.range.setAttribute("aria-label", name || "picture");
  };
  listenToPlayer(parts, model, goTo);
  const stop = mount(model, el, parts.root, [
    watch(model, ["index", "playing", "mode"], draw),
    watch(model, ["index"], timer.follow),
    watch(model, ["playing", "interval_ms"], timer.start),
    watch(model, ["pictures_webp", "captions"], pullPictures),
    watch(model, ["size_px", "name"], pullFrame),
    timer.stop,
    forget,
  ]);
  pullFrame();
  pullPictures();
  timer.start();
  return stop;
}

export default { render };
