// Steps in a row. Python decides which is the present one; the page says which was clicked.

function makeStep(key) {
  const image = element("img", { alt: "", draggable: "false", hidden: true });
  const frame = element("div", { class: "ag-thumb" }, image);
  const label = element("div", { class: "ag-caption" });
  return Object.assign(element("div", { role: "option", tabindex: -1 }, frame, label), { parts: { image, label } });
}

function drawStep(node, step, index, current, address) {
  const { image, label } = node.parts;
  if (image.src !== address) setAttributes(image, { src: address || null });
  image.hidden = !address;
  label.textContent = step.label;
  node.classList.toggle("ag-later", index > current);
  setAttributes(node, {
    "data-testid": `step-${index}`,
    title: step.label,
    "aria-label": index > current ? `${step.label}, undone` : step.label,
    "aria-selected": String(index === current),
    "aria-current": index === current ? "step" : null,
  });
}

// Scrolls the strip alone; `scrollIntoView` would scroll the notebook too.
function bringIntoView(strip, node, smooth) {
  if (!node) return;
  const left = node.offsetLeft - strip.offsetLeft;
  const margin = node.offsetWidth / 2;
  const first = left + node.offsetWidth + margin - strip.clientWidth;
  const last = left - margin;
  const target = Math.min(Math.max(strip.scrollLeft, first), last);
  const behavior = smooth ? "smooth" : "instant";
  if (Math.abs(target - strip.scrollLeft) > 1) strip.scrollTo({ left: target, behavior });
}

function render({ model, el }) {
  const strip = element("div", { class: "ag-strip", role: "listbox", "aria-label": "history" });
  setAttributes(strip, { "aria-orientation": "horizontal" });
  const empty = element("div", { class: "ag-empty" }, "no steps yet");
  const root = element("div", { class: "ag-small ag-history", "data-testid": "history-strip" }, strip, empty);
  const keys = () => model.get("steps").map((step) => step.key);
  const draw = () => {
    const steps = model.get("steps");
    const current = model.get("current");
    const nodes = arrangeChildren(strip, keys(), makeStep);
    nodes.forEach((node, k) => drawStep(node, steps[k], k, current, store.address(steps[k].key)));
    if (!strip.contains(document.activeElement)) makeReachable(strip, nodes[current]);
    strip.hidden = !steps.length;
    empty.hidden = Boolean(steps.length);
    return nodes[current];
  };
  const store = createPictureStore(model, keys, draw);
  const pull = () => {
    store.sweep();
    bringIntoView(strip, draw(), true);
  };
  const focused = (node) => bringIntoView(strip, node, false);
  listenToList(strip, () => 0, (key) => model.send({ type: "jump", key }), focused);
  // The strip has no width before it is on the page, or while its tab is hidden.
  const sizes = new ResizeObserver(() => bringIntoView(strip, strip.children[model.get("current")], false));
  sizes.observe(strip);
  const watched = watch(model, ["steps", "current"], pull);
  const stop = mount(model, el, root, [watched, store.close, () => sizes.disconnect()]);
  pull();
  store.askForMissing();
  return stop;
}

export default { render };
