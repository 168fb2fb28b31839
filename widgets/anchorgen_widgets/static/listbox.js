// A list of which one option at a time can be reached by Tab; arrows, Home and End move among them, Enter or Space does
// what a click does.

// Children by key: those that stay keep their nodes, and with them their pictures and the focus.
function arrangeChildren(root, keys, make) {
  const old = new Map([...root.children].map((child) => [child.dataset.key, child]));
  const wanted = keys.map((key) => {
    const child = old.get(key) ?? make(key);
    child.dataset.key = key;
    old.delete(key);
    return child;
  });
  old.forEach((child) => child.remove());
  wanted.forEach((child, k) => {
    if (root.children[k] !== child) root.insertBefore(child, root.children[k] ?? null);
  });
  return wanted;
}

// `columns()` is how many options lie in a row; 0 if there is one row only.
function listenToList(root, columns, activate, focused = () => {}) {
  const options = () => [...root.children];
  const optionOf = (event) => event.target.closest("[role=option]");
  const moveTo = (option) => {
    makeReachable(root, option);
    option.focus({ preventScroll: true });
  };
  root.addEventListener("click", (event) => {
    const option = optionOf(event);
    if (!option) return;
    moveTo(option);
    activate(option.dataset.key);
  });
  root.addEventListener("focusin", (event) => focused(optionOf(event)));
  root.addEventListener("keydown", (event) => {
    const option = optionOf(event);
    if (!option || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = options();
    const at = all.indexOf(option);
    const row = columns();
    const targets = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 };
    const target = { ...targets, ...(row ? { ArrowUp: at - row, ArrowDown: at + row } : {}) }[event.key];
    const acts = event.key === "Enter" || event.key === " ";
    if (target === undefined && !acts) return;
    event.preventDefault();
    event.stopPropagation();
    if (acts) activate(option.dataset.key);
    else if (all[target]) moveTo(all[target]);
  });
}

function makeReachable(root, option) {
  for (const other of root.children) other.tabIndex = other === option ? 0 : -1;
}
