// Thumbnails to choose from. Python decides what is taken; the page says what was clicked and what is looked at.

const PREVIEW_DELAY_MS = 60;
const CHECK = "M3 8.5l3.2 3.2L13 5";

function makeTile(key) {
  const image = element("img", { alt: "", draggable: "false", hidden: true });
  const rank = element("span", { class: "ag-plate ag-rank" });
  const check = element("span", { class: "ag-check" }, icon(CHECK));
  const frame = element("div", { class: "ag-thumb" }, image, rank, check);
  const caption = element("div", { class: "ag-caption" });
  return Object.assign(element("div", { role: "option", tabindex: -1 }, frame, caption), {
    parts: { image, rank, frame, caption },
    id: `ag-${Math.random().toString(36).slice(2)}`,
  });
}

function drawTile(tile, item, address, isTaken) {
  const { image, rank, frame, caption } = tile.parts;
  if (image.src !== address) setAttributes(image, { src: address || null });
  image.hidden = !address;
  frame.classList.toggle("ag-waiting", !address);
  rank.hidden = !item.rank;
  rank.textContent = item.rank;
  caption.textContent = item.caption;
  const words = [item.rank ? `rank ${item.rank}` : "", item.caption, item.detail, address ? "" : "being drawn"];
  setAttributes(tile, {
    "data-testid": `variation-${item.index}`,
    "aria-selected": String(isTaken),
    "aria-label": words.filter(Boolean).join(", "),
    title: [item.caption, item.detail].filter(Boolean).join("\n"),
  });
}

// What is looked at: the mouse first, else the keys. Sent once things have settled for a moment.
function createPreview(model) {
  const looked = { mouse: null, keys: null };
  let sent = null;
  let timer = null;
  const send = () => {
    const key = looked.mouse ?? looked.keys;
    if (key === sent) return;
    sent = key;
    model.send({ type: "preview", key });
  };
  return {
    look(by, key) {
      looked[by] = key;
      clearTimeout(timer);
      timer = setTimeout(send, PREVIEW_DELAY_MS);
    },
    // Other pictures: Python has ended the preview of those before.
    forget() {
      Object.assign(looked, { mouse: null, keys: null });
      clearTimeout(timer);
      sent = null;
    },
    stop() {
      Object.assign(looked, { mouse: null, keys: null });
      clearTimeout(timer);
      send();
    },
  };
}

function listenToLooks(grid, preview) {
  grid.addEventListener("pointerover", (event) => {
    const tile = event.target.closest("[role=option]");
    if (event.pointerType !== "touch") preview.look("mouse", tile?.dataset.key ?? null);
  });
  grid.addEventListener("pointerleave", () => preview.look("mouse", null));
  grid.addEventListener("focusin", (event) => {
    const tile = event.target.closest("[role=option]");
    // A click also gives the focus; the preview must then end with the mouse.
    preview.look("keys", tile?.matches(":focus-visible") ? tile.dataset.key : null);
  });
  grid.addEventListener("focusout", () => preview.look("keys", null));
}

function buildGallery() {
  const grid = element("div", { class: "ag-grid", role: "listbox", "aria-label": "variations" });
  const empty = element("div", { class: "ag-empty" }, "no variations yet");
  const slots = buildSlotTable();
  const attributes = { class: "ag-small ag-gallery", "data-testid": "variation-gallery" };
  return { grid, empty, slots, root: element("div", attributes, grid, empty, slots.table) };
}

function drawGallery({ grid, empty }, model, store) {
  const items = model.get("items");
  const taken = model.get("taken");
  const tiles = arrangeChildren(grid, items.map((item) => item.key), makeTile);
  tiles.forEach((tile, k) => drawTile(tile, items[k], store.address(items[k].key), items[k].index === taken));
  if (tiles.length && !tiles.some((tile) => tile.tabIndex === 0)) tiles[0].tabIndex = 0;
  grid.hidden = !items.length;
  empty.hidden = Boolean(items.length);
}

function render({ model, el }) {
  const parts = buildGallery();
  const { grid, root, slots } = parts;
  const keys = () => model.get("items").map((item) => item.key);
  const preview = createPreview(model);
  const draw = () => drawGallery(parts, model, store);
  const store = createPictureStore(model, keys, draw);
  let known = "";
  const pullItems = () => {
    const now = keys().sort().join();
    if (now !== known) preview.forget(); // not where they were only put in another order
    known = now;
    store.sweep();
    draw();
  };
  const pullSize = () => {
    root.style.setProperty("--ag-thumb", `${model.get("thumb_px")}px`);
    root.style.setProperty("--ag-columns", model.get("columns"));
  };
  const pullRows = () => slots.show(model.get("rows"));
  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  listenToList(grid, columns, (key) => model.send({ type: "take", key }));
  listenToLooks(grid, preview);
  const stop = mount(model, el, root, [
    watch(model, ["items"], pullItems),
    watch(model, ["taken"], draw),
    watch(model, ["rows"], pullRows),
    watch(model, ["thumb_px", "columns"], pullSize),
    store.close,
    preview.stop,
  ]);
  [pullSize, pullItems, pullRows, store.askForMissing].forEach((start) => start());
  return stop;
}

export default { render };
