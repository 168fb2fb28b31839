// The table of slots: what several samples say of each object.

const HEADINGS = [
  ["object", ""],
  ["present", "share of the samples in which it is there"],
  ["position", "how far its place varies"],
  ["appearance", "how much its look varies"],
];

const spread = (value, unit) => (value === null ? "-" : `${value.toFixed(2)}${unit}`);

function slotRow(row) {
  const percent = `${Math.round(row.presence * 100)}%`;
  const bar = element("span", { class: "ag-share", "aria-hidden": "true" }, element("span"));
  bar.firstChild.style.width = percent;
  return element(
    "tr",
    { "data-testid": `slot-${row.name}` },
    element("th", { scope: "row", title: row.name }, row.name),
    element("td", {}, bar, element("span", { class: "ag-number" }, percent)),
    element("td", { class: "ag-number" }, spread(row.position_spread_m, " m")),
    element("td", { class: "ag-number" }, spread(row.appearance_spread, "")),
  );
}

function buildSlotTable() {
  const headings = HEADINGS.map(([name, title]) => element("th", { scope: "col", title: title || null }, name));
  const body = element("tbody");
  const table = element("table", { class: "ag-slots" }, element("thead", {}, element("tr", {}, ...headings)), body);
  setAttributes(table, { "aria-label": "what varies between the samples", "data-testid": "slot-table" });
  const show = (rows) => {
    table.hidden = !rows.length;
    body.replaceChildren(...rows.map(slotRow));
  };
  return { table, show };
}
