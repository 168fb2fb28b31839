// Objects of a library as tiles. Click or Enter asks Python to insert one; a drag carries its key.

const DRAG_TYPE = "application/x-anchorgen-object";
const SEARCH_DELAY_MS = 120;

function buildTile(item, ask) {
  const face = element("span", { class: "ag-face" });
  if (item.thumbnail?.byteLength) {
    const url = URL.createObjectURL(new Blob([item.thumbnail], { type: "image/webp" }));
    const picture = element("img", { src: url, alt: "", draggable: "false" });
    picture.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    face.append(picture);
  } else face.append(icon("M2.5 5L8 2l5.5 3v6L8 14l-5.5-3Z", "M2.5 5L8 8l5.5-3", "M8 8v6"));
  const label = element("span", { class: "ag-name" }, item.label);
  const size = element("span", { class: "ag-size ag-note" }, item.size);
  const about = { role: "option", tabindex: -1, "data-testid": `library-item-${item.key}`, class: "ag-tile" };
  const node = element("div", { ...about, draggable: item.refusal ? "false" : "true" }, face, label, size);
  const title = [`${item.label}, ${item.size}`, item.source, item.refusal].filter(Boolean).join("\n");
  setAttributes(node, { title, "aria-label": title, "aria-disabled": item.refusal ? "true" : null });
  node.addEventListener("click", () => ask(item.key));
  node.addEventListener("dragstart", (event) => {
    event.stopPropagation();
    event.dataTransfer.setData(DRAG_TYPE, item.key);
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setDragImage(face, 20, 20);
  });
  return node;
}

// Left, right, up and down among the tiles, as they lie on the page.
function neighbour(tiles, from, key) {
  const at = tiles.indexOf(from);
  const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  if (key === "Home") return tiles[0];
  if (key === "End") return tiles.at(-1);
  return step === undefined ? undefined : tiles[at + step];
}

function listenToShelfKeys(search, list, ask) {
  const tiles = () => [...list.querySelectorAll(".ag-tile:not([hidden])")];
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") tiles()[0]?.focus();
    else if (event.key === "Escape" && search.value) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("keydown", (event) => {
    const tile = event.target.closest(".ag-tile");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") ask(tile.dataset.key);
    else if (event.key === "ArrowUp" && tile.offsetTop === tiles()[0].offsetTop) search.focus();
    else {
      const next = neighbour(tiles(), tile, event.key);
      if (!next && !/^Arrow/.test(event.key)) return;
      next?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("focusin", (event) => {
    for (const tile of tiles()) tile.tabIndex = tile === event.target ? 0 : -1;
  });
}

function render({ model, el }) {
  el.classList.add("ag-small", "ag-shelf");
  const search = element("input", { type: "search", "aria-label": "search the library", "data-testid": "library-search" });
  setAttributes(search, { autocomplete: "off", spellcheck: "false" });
  const list = element("div", { class: "ag-tiles", role: "listbox", "aria-label": "objects to insert" });
  const note = element("div", { class: "ag-note ag-empty", role: "status", "data-testid": "library-note" });
  const { line, show: showProblem } = problemLine(model, "library-problem");
  el.append(element("div", { "data-testid": "library-shelf" }, search, note, list, line));
  const tiles = new Map();
  let shown = null;
  let timer = 0;
  const ask = (key) => model.send({ type: "insert", key });

  const update = () => {
    const items = model.get("items");
    const matches = model.get("matches");
    const query = model.get("query");
    el.style.setProperty("--ag-width", `${model.get("width_px")}px`);
    el.style.setProperty("--ag-height", `${model.get("height_px")}px`);
    if (items !== shown) {
      tiles.clear();
      items.forEach((item) => tiles.set(item.key, setAttributes(buildTile(item, ask), { "data-key": item.key })));
      list.replaceChildren(...tiles.values());
      shown = items;
    }
    const found = matches.map((key) => tiles.get(key)).filter(Boolean);
    tiles.forEach((tile) => (tile.hidden = !found.includes(tile)));
    found.forEach((tile, k) => list.children[k] !== tile && list.insertBefore(tile, list.children[k]));
    if (!found.some((tile) => tile.tabIndex === 0) && found.length) found[0].tabIndex = 0;
    setAttributes(search, { placeholder: `search ${items.length} objects` });
    if (!timer && search.value !== query) search.value = query;
    setText(note, found.length ? "" : query ? `nothing is called “${query}”` : "no objects yet");
    note.hidden = found.length > 0;
    list.hidden = found.length === 0;
    showProblem();
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      model.send({ type: "search", text: search.value });
    }, SEARCH_DELAY_MS);
  });
  listenToShelfKeys(search, list, ask);
  const unfollow = follow(model, ["items", "matches", "query", "width_px", "height_px", "settled", "problem"], update);
  const release = keepKeysFrom(el);
  return () => (clearTimeout(timer), unfollow(), release());
}

export default { render };
