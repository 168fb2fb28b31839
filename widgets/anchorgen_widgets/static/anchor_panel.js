// The object list with its sliders. A slider shows the strength of one factor; while a person holds it, what Python
// says leaves it alone, and Python hears the end value only.

const FACTORS = ["layout", "appearance", "presence"];
const SHARED = { camera: "camera", background: "background", empty: "empty slots" };
const EYE = ["M1.5 8C4 4.6 6 3.7 8 3.7S12 4.6 14.5 8C12 11.4 10 12.3 8 12.3S4 11.4 1.5 8Z", "M6.2 8a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0"];
const CLOSED_EYE = [EYE[0], "M2.5 13.5L13.5 2.5"];
const LOCK = ["M3.5 7.5h9v6h-9Z", "M5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5", "M8 10v1.5"];
const OPEN_LOCK = [LOCK[0], "M5.5 7.5V4.5a2.5 2.5 0 0 1 4.8-1", LOCK[2]];

const shortNumber = (value) => String(Math.round(value * 100) / 100);

// A range input drawn as a bar with its number on it.
function buildBar(label, testId, send) {
  const bounds = { type: "range", min: 0, max: 1, step: 0.05 };
  const title = `${label}: strength, 0 keeps, 1 resamples`;
  const input = element("input", { ...bounds, "aria-label": `${label}, strength`, title, "data-testid": testId });
  const number = element("span", { class: "ag-number", "aria-hidden": "true" });
  const node = element("span", { class: "ag-bar" }, input, number);
  const state = { held: false, keyed: false, unsent: false, awaits: false };
  const paint = (value) => {
    node.style.setProperty("--ag-strength", `${value * 100}%`);
    setText(number, shortNumber(value));
    setAttributes(input, { "aria-valuetext": shortNumber(value) });
  };
  const finish = () => {
    if (state.unsent) send(Number(input.value));
    Object.assign(state, { held: false, keyed: false, unsent: false, awaits: state.awaits || state.unsent });
  };
  input.addEventListener("pointerdown", () => {
    state.held = true;
    ["pointerup", "pointercancel"].forEach((name) => window.addEventListener(name, () => setTimeout(finish), { once: true }));
  });
  input.addEventListener("keydown", (event) => {
    if (/^(Arrow|Page|Home|End)/.test(event.key)) state.held = state.keyed = true; // until it is let go: it may repeat
  });
  input.addEventListener("input", () => {
    state.unsent = true;
    paint(Number(input.value));
  });
  input.addEventListener("change", () => state.keyed || finish());
  ["keyup", "blur"].forEach((name) => input.addEventListener(name, finish));
  // What a person has set stays until Python has answered.
  const show = (value, isAnswer) => {
    if (state.held || (state.awaits && !isAnswer)) return;
    state.awaits = false;
    input.value = value;
    paint(value);
  };
  return { node, input, show };
}

function buildSwitch(className, testId, flip) {
  const button = element("button", { type: "button", class: className, "data-testid": testId });
  button.addEventListener("click", flip);
  const show = (on, label, paths) => {
    setAttributes(button, { "aria-pressed": String(on), "aria-label": label, title: label });
    if (button.dataset.on !== String(on)) button.replaceChildren(icon(...paths));
    button.dataset.on = on;
  };
  return { button, show };
}

function buildRow(row, actions) {
  const current = { row };
  const mark = element("span", { class: "ag-mark" });
  const name = element("span", { class: "ag-name" });
  const eye = buildSwitch("ag-eye", `visible-${row.id}`, () => actions.visible(row.id, !current.row.present));
  const lock = buildSwitch("ag-lock", `lock-${row.id}`, () => actions.strength(row.id, "all", current.row.locked ? 1 : 0));
  const send = (factor) => (value) => actions.strength(row.id, factor, value);
  const bars = FACTORS.map((factor) => buildBar(`${row.name}, ${factor}`, `strength-${row.id}-${factor}`, send(factor)));
  const cells = [mark, name, eye.button, lock.button, ...bars.map((bar) => bar.node)];
  const node = element("div", { role: "row", class: "ag-row", "data-testid": `anchor-row-${row.id}` });
  node.append(...cells.map((cell) => element("span", { role: "gridcell", class: "ag-cell" }, cell)));
  node.addEventListener("pointerdown", (event) => event.target.closest("button") || actions.select(row.id, false));
  const controls = [eye.button, lock.button, ...bars.map((bar) => bar.input)];
  const show = (shown, isSelected, isStop, isAnswer) => {
    current.row = shown;
    mark.style.background = shown.color;
    setText(name, shown.name);
    setAttributes(name, { title: shown.present ? shown.id : `${shown.id} (removed)` });
    node.classList.toggle("ag-removed", !shown.present);
    setAttributes(node, { "aria-selected": String(isSelected), tabindex: isStop ? 0 : -1 });
    setAttributes(node, { "aria-label": shown.name + (shown.present ? "" : ", removed") });
    controls.forEach((control) => setAttributes(control, { tabindex: isStop ? 0 : -1 }));
    eye.show(shown.present, `${shown.name}: ${shown.present ? "remove" : "restore"}`, shown.present ? EYE : CLOSED_EYE);
    lock.show(shown.locked, `${shown.name}: ${shown.locked ? "release" : "keep"} all of it`, shown.locked ? LOCK : OPEN_LOCK);
    FACTORS.forEach((factor, k) => bars[k].show(shown.strength[factor], isAnswer));
  };
  return { node, show };
}

function buildShared(key, actions) {
  const bar = buildBar(SHARED[key], `strength-${key}`, (value) => actions.strength("", key, value));
  const name = element("span", { class: "ag-name" }, SHARED[key]);
  const node = element("div", { class: "ag-row ag-shared" }, element("span"), name, bar.node);
  return { node, name, bar };
}

function buildPanel(actions) {
  const push = (text, testId, value, title) => {
    const button = element("button", { type: "button", class: "ag-push", title, "data-testid": testId }, text);
    button.addEventListener("click", () => actions.strength("", "everything", value));
    return button;
  };
  const keep = push("keep all", "keep-all", 0, "Sampling changes nothing");
  const release = push("release all", "release-all", 1, "Sampling makes everything anew");
  const buttons = element("div", { class: "ag-buttons" }, keep, release);
  const titles = FACTORS.map((factor) => element("span", { class: "ag-title", title: factor }, factor));
  const head = element("div", { class: "ag-row ag-head", "aria-hidden": "true" }, ...[0, 1, 2, 3].map(() => element("span")), ...titles);
  const list = element("div", { role: "grid", class: "ag-list", "aria-label": "objects and their strengths" });
  const empty = element("div", { class: "ag-note" }, "no objects");
  const shared = Object.fromEntries(Object.keys(SHARED).map((key) => [key, buildShared(key, actions)]));
  const foot = element("div", { class: "ag-foot" }, ...Object.values(shared).map(({ node }) => node));
  return { list, empty, shared, parts: [buttons, head, list, foot] };
}

function listenToRowKeys(list, model, select) {
  list.addEventListener("keydown", (event) => {
    if (event.target.getAttribute("role") !== "row" || event.ctrlKey || event.metaKey || event.altKey) return;
    const ids = model.get("rows").map((row) => row.id);
    const last = ids.length - 1;
    const at = ids.indexOf(model.get("selected"));
    const next = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (event.key === "Escape") select("", false);
    else if (next === undefined) return;
    else select(ids[next], true);
    event.preventDefault();
    event.stopPropagation();
  });
}

// Within the list only: scrollIntoView would scroll the page as well.
function scrollTo(list, row) {
  const above = row.offsetTop - list.offsetTop - list.scrollTop;
  const below = above + row.offsetHeight - list.clientHeight;
  if (above < 0) list.scrollTop += above;
  else if (below > 0) list.scrollTop += below;
}

function render({ model, el }) {
  el.classList.add("ag-small", "ag-anchors");
  const rows = new Map();
  let settled = -1;
  let inView = "";
  const select = (id, focuses) => {
    if (id !== model.get("selected")) {
      model.set("selected", id);
      model.save_changes();
      update();
    }
    if (focuses) rows.get(id)?.node.focus({ preventScroll: false });
  };
  const strength = (id, factor, value) => model.send({ type: "strength", id, factor, value });
  const visible = (id, isVisible) => model.send({ type: "visible", id, visible: isVisible });
  const panel = buildPanel({ select, strength, visible });
  const { line, show: showProblem } = problemLine(model, "anchor-problem");
  const root = element("div", { class: "ag-anchor-panel", "data-testid": "anchor-panel" }, ...panel.parts, line);
  el.append(root);

  function update() {
    const shown = model.get("rows");
    const selected = model.get("selected");
    const height = model.get("height_px");
    const isAnswer = model.get("settled") !== settled;
    settled = model.get("settled");
    el.style.setProperty("--ag-width", `${model.get("width_px")}px`);
    el.style.setProperty("--ag-height", height ? `${height}px` : "none");
    for (const id of rows.keys()) {
      if (shown.some((row) => row.id === id)) continue;
      rows.get(id).node.remove();
      rows.delete(id);
    }
    shown.forEach((row, k) => {
      if (!rows.has(row.id)) rows.set(row.id, buildRow(row, { select, strength, visible }));
      const { node, show } = rows.get(row.id);
      if (panel.list.children[k] !== node) panel.list.insertBefore(node, panel.list.children[k] ?? null);
      const isStop = selected ? row.id === selected : k === 0;
      show(row, row.id === selected, isStop, isAnswer);
    });
    if (shown.length) panel.empty.remove();
    else panel.list.append(panel.empty);
    const shared = model.get("shared");
    const count = model.get("num_empty");
    for (const [key, { bar }] of Object.entries(panel.shared)) bar.show(shared[key], isAnswer);
    setText(panel.shared.empty.name, `${count} ${SHARED.empty}`);
    panel.shared.empty.bar.input.disabled = !count;
    showProblem();
    if (selected !== inView && rows.has(selected)) scrollTo(panel.list, rows.get(selected).node);
    inView = selected;
    root.style.setProperty("--ag-scrollbar", `${panel.list.offsetWidth - panel.list.clientWidth}px`);
  }

  listenToRowKeys(panel.list, model, select);
  const unfollow = follow(model, ["rows", "shared", "num_empty", "selected", "width_px", "height_px", "settled", "problem"], update);
  const release = keepKeysFrom(el);
  return () => (unfollow(), release());
}

export default { render };
