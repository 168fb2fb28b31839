// Code to read and to copy.
function render({ model, el }) {
  el.classList.add("ag-code");
  el.innerHTML = `
    <div class="ag-code-head"><span></span><button type="button" data-testid="copy-code">Copy</button></div>
    <pre tabindex="0" data-testid="code"></pre>`;
  const [title, button, code] = ["span", "button", "pre"].map((name) => el.querySelector(name));
  const pull = () => {
    title.textContent = model.get("title");
    code.textContent = model.get("code") || model.get("empty");
    code.classList.toggle("ag-empty", !model.get("code"));
    button.disabled = !model.get("code");
  };
  // Where the page may not write to the clipboard, the text is selected, so that Control+C does.
  const select = () => getSelection().selectAllChildren(code);
  const say = (text) => {
    button.textContent = text;
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("code"));
      say("Copied");
    } catch {
      select();
      say("Press Ctrl+C");
    }
  });
  const names = ["code", "title", "empty"];
  names.forEach((name) => model.on(`change:${name}`, pull));
  pull();
  return () => names.forEach((name) => model.off(`change:${name}`, pull));
}

export default { render };
