// What the small widgets beside the picture share. These files are joined into one module per widget (front_end.py).

const SVG = "http://www.w3.org/2000/svg";

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
  return node;
}

function element(tag, attributes = {}, ...children) {
  const node = setAttributes(document.createElement(tag), attributes);
  node.append(...children);
  return node;
}

// A line drawing of 16 x 16 in the colour of the text.
function icon(...paths) {
  const box = { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" };
  const svg = setAttributes(document.createElementNS(SVG, "svg"), box);
  for (const d of paths) {
    const line = { d, fill: "none", stroke: "currentColor", "stroke-width": 1.4, "stroke-linejoin": "round" };
    svg.append(setAttributes(document.createElementNS(SVG, "path"), { ...line, "stroke-linecap": "round" }));
  }
  return svg;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Keys in a widget are its own, or "b" would insert a cell; those with Control stay JupyterLab's (save, find, ...), but
// for those of text, or Control+A in a field that is only read would select all cells.
// Lumino reads the attribute of the focused element in its own listener, which runs after this one.
function keepKeysFrom(root) {
  const decide = (event) => {
    if (!root.contains(event.target)) return;
    const isText = event.target.matches("input[type=text], input[type=search]") && /^[acvxyz]$/i.test(event.key);
    const others = (event.ctrlKey || event.metaKey) && !/^Arrow/.test(event.key) && !isText;
    setAttributes(event.target, { "data-lm-suppress-shortcuts": others ? null : "true" });
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}

// The line under a widget that says why a request was refused.
function problemLine(model, testId) {
  const line = element("div", { class: "ag-problem", role: "alert", "data-testid": testId });
  const show = () => {
    setText(line, model.get("problem"));
    line.hidden = !line.textContent;
  };
  return { line, show };
}

// Calls `update` now and once after any of these traits has changed, however many did.
function follow(model, names, update) {
  let frame = 0;
  const soon = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      update();
    });
  };
  names.forEach((name) => model.on(`change:${name}`, soon));
  update();
  return () => {
    cancelAnimationFrame(frame);
    names.forEach((name) => model.off(`change:${name}`, soon));
  };
}
