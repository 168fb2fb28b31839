// Fields with the numbers of one object or of the camera. Python reads the text of a field and takes or refuses it;
// a refused one stays as it was typed, until it is mended or Escape gives it up.

const DIGITS = 4;

const shownNumber = (value) => String(Number(value.toFixed(DIGITS)) || 0);

function parsed(text) {
  const plain = text.trim().replace("\u2212", "-");
  return plain === "" ? NaN : Number(plain.includes(".") ? plain : plain.replace(",", "."));
}

// `subject` is the id whose number is being typed: the text goes there, also if another was selected meanwhile, whose
// numbers wait until the field is left.
function buildField(number, actions) {
  const state = { number, subject: "", typed: false, awaits: false };
  const label = element("label", { class: "ag-note", title: number.meaning }, number.name);
  const input = element("input", { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
  setAttributes(input, { "data-testid": `number-${number.name}`, title: number.meaning, "aria-label": `${number.name}: ${number.meaning}` });
  const unit = element("span", { class: "ag-unit ag-note" }, number.unit);
  const node = element("div", { class: "ag-field" }, label, input, unit);
  label.addEventListener("click", () => input.focus());

  const commit = () => {
    if (!state.typed) return;
    Object.assign(state, { typed: false, awaits: true });
    actions.edit(state.subject, state.number.name, input.value);
    actions.goOn();
  };
  const step = (count) => {
    const from = parsed(input.value);
    if (!Number.isFinite(from)) return;
    input.value = shownNumber(from + count * state.number.step);
    state.typed = true;
  };
  const giveUp = () => {
    Object.assign(state, { typed: false, awaits: false });
    input.value = shownNumber(state.number.value);
    actions.giveUp();
    actions.goOn();
  };
  const STEPS = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
  input.addEventListener("input", () => (state.typed = true));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", commit);
  input.addEventListener("keyup", (event) => STEPS[event.key] && commit()); // a held key repeats: one edit
  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") {
      commit();
      input.select();
    } else if (event.key === "Escape") giveUp();
    else if (STEPS[event.key] && !input.readOnly) step(STEPS[event.key] * (event.shiftKey ? 0.1 : 1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const show = (shown, subject, refused, isAnswer) => {
    const isRefused = refused.name === shown.name && refused.id === subject;
    const isNew = subject !== state.subject;
    Object.assign(state, { number: shown, subject });
    setAttributes(input, { readonly: shown.editable ? null : "", "aria-invalid": isRefused ? "true" : null });
    if (state.typed || (state.awaits && !isAnswer && !isNew)) return;
    state.awaits = false;
    const text = isRefused ? refused.text : shownNumber(shown.value);
    if (input.value === text) return;
    input.value = text;
    if (document.activeElement === input) input.select(); // or what is typed next would be added to it
  };
  const isTypedForAnother = (subject) => state.typed && subject !== state.subject;
  return { node, show, isTypedForAnother };
}

function render({ model, el }) {
  el.classList.add("ag-small", "ag-inspector");
  const mark = element("span", { class: "ag-mark" });
  const name = element("span", { class: "ag-name", "data-testid": "inspector-name" });
  const fields = element("div", { class: "ag-fields" });
  const { line, show: showProblem } = problemLine(model, "inspector-problem");
  const root = element("div", { role: "group", "data-testid": "inspector" });
  root.append(element("div", { class: "ag-subject" }, mark, name), fields, line);
  el.append(root);
  const actions = {
    edit: (id, number, text) => model.send({ type: "edit", id, name: number, text }),
    goOn: () => update(),
    giveUp: () => Object.keys(model.get("refused")).length && model.send({ type: "give up" }),
  };
  let built = new Map();
  let settled = -1;

  const update = () => {
    const subject = model.get("subject");
    const numbers = model.get("numbers");
    if ([...built.values()].some((field) => field.isTypedForAnother(subject.id))) return;
    const isAnswer = model.get("settled") !== settled;
    settled = model.get("settled");
    el.style.setProperty("--ag-width", `${model.get("width_px")}px`);
    fields.style.setProperty("--ag-rows", Math.ceil(numbers.length / 2));
    mark.style.background = subject.color || "transparent";
    mark.hidden = !subject.color;
    setText(name, (subject.name ?? "") + (subject.editable === false ? " (removed)" : ""));
    setAttributes(root, { "aria-label": `numbers of ${subject.name ?? "nothing"}` });
    if (numbers.length !== built.size || numbers.some((number) => !built.has(number.name))) {
      document.activeElement?.closest?.(".ag-field") && fields.contains(document.activeElement) && document.activeElement.blur();
      built = new Map(numbers.map((number) => [number.name, buildField(number, actions)]));
      fields.replaceChildren(...[...built.values()].map((field) => field.node));
    }
    numbers.forEach((number) => built.get(number.name).show(number, subject.id, model.get("refused"), isAnswer));
    showProblem();
  };
  const unfollow = follow(model, ["subject", "numbers", "refused", "width_px", "settled", "problem"], update);
  const release = keepKeysFrom(el);
  return () => (unfollow(), release());
}

export default { render };
