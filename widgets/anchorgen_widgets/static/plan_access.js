// What an ipycanvas lacks on a page (see plan_access.py). It listens above the canvas, before the canvas does.

const MOVE_INTERVAL_MS = 40;
const OWN_KEYS = /^(Arrow(Left|Right|Up|Down)|Page(Up|Down)|Escape)$/;

function teach(box, canvas) {
  const hide = (event) => event.stopImmediatePropagation();
  const keys = (event) => {
    if (event.target !== canvas) return;
    const others = (event.ctrlKey || event.metaKey || event.altKey) && !/^Arrow/.test(event.key);
    if (others || !OWN_KEYS.test(event.key)) hide(event); // or the canvas would keep Tab and Ctrl+S from the page
  };
  let last = 0;
  const move = (event) => {
    if (!(event.buttons & 1) || event.timeStamp - last < MOVE_INTERVAL_MS) hide(event);
    else last = event.timeStamp;
  };
  const button = (event) => event.button !== 0 && hide(event);
  const capture = (event) => event.button === 0 && event.pointerType === "mouse" && canvas.setPointerCapture(event.pointerId);
  const listeners = { wheel: hide, keydown: keys, mousemove: move, mousedown: button, mouseup: button, pointerdown: capture };
  for (const [name, listener] of Object.entries(listeners)) box.addEventListener(name, listener, true);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) box.removeEventListener(name, listener, true);
  };
}

function render({ model, el }) {
  el.classList.add("ag-small", "ag-plan-access");
  const spoken = element("div", { class: "ag-spoken", "aria-live": "polite" });
  const { line, show: showProblem } = problemLine(model, "plan-problem");
  el.append(spoken, line);
  let canvas = null;
  let frame = 0;
  let forget = () => {};
  const update = () => {
    const about = { role: "application", "aria-label": model.get("description"), "data-testid": "plan-view" };
    if (canvas) setAttributes(canvas, { ...about, tabindex: 0 });
    setText(spoken, model.get("spoken"));
    showProblem();
  };
  const find = () => {
    const box = el.closest(".ag-plan");
    canvas = box?.querySelector("canvas");
    if (!canvas) {
      frame = requestAnimationFrame(find);
      return;
    }
    const untaught = teach(box, canvas);
    const release = keepKeysFrom(box);
    forget = () => (untaught(), release());
    update();
  };
  const unfollow = follow(model, ["description", "spoken", "problem"], update);
  find();
  return () => (cancelAnimationFrame(frame), unfollow(), forget());
}

export default { render };
