// What the small widgets share: elements, traits to listen to, pictures, the strip that shows what a handler raised.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const SEND_INTERVAL_MS = 50;
const ROOT_PADDING_PX = 3; // as in the CSS

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

// null or false takes an attribute away; true is one without a value.
function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

function icon(path) {
  const svg = document.createElementNS(SVG_NAMESPACE, "svg");
  const shape = svg.appendChild(document.createElementNS(SVG_NAMESPACE, "path"));
  setAttributes(svg, { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" });
  shape.setAttribute("d", path);
  return svg;
}

// Calls back whenever one of the traits changes, until the returned function is called.
function watch(model, names, callback) {
  names.forEach((name) => model.on(`change:${name}`, callback));
  return () => names.forEach((name) => model.off(`change:${name}`, callback));
}

// Address of an encoded picture; "" if there is none. Whoever asked revokes it.
function pictureAddress(bytes) {
  return bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/webp" })) : "";
}

// Saves the model's changes now and then, and at the latest when told to.
function createSaver(model) {
  let timer = null;
  const flush = () => {
    clearTimeout(timer);
    timer = null;
    model.save_changes();
  };
  return { soon: () => (timer ??= setTimeout(flush, SEND_INTERVAL_MS)), now: flush };
}

// What a handler in Python raised, with a button that dismisses it.
function showFailures(model, root) {
  const text = element("span");
  const dismiss = element("button", { type: "button", "aria-label": "dismiss the error" }, "×");
  const strip = element("div", { class: "ag-failure", role: "alert", "data-testid": "handler-error" }, text, dismiss);
  const update = () => {
    text.textContent = model.get("error");
    strip.hidden = !model.get("error");
  };
  dismiss.addEventListener("click", () => {
    model.set("error", "");
    model.save_changes();
  });
  root.append(strip);
  update();
  return watch(model, ["error"], update);
}

// Keys without Control are kept from JupyterLab's shortcuts, or an arrow would leave the cell; those with it stay its
// own. Lumino reads the attribute in its listener, which runs after this one.
function keepPlainKeys(root) {
  const decide = (event) => {
    if (!root.contains(event.target)) return;
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    setAttributes(event.target, { "data-lm-suppress-shortcuts": plain ? "true" : null });
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}

// Puts a widget's root on the page; `stops` are called when it leaves.
function mount(model, el, root, stops) {
  el.append(root);
  stops.push(showFailures(model, root), keepPlainKeys(root));
  return () => stops.forEach((stop) => stop());
}
