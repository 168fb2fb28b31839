// Code to read and to copy. Objects that were brought in are hundreds of letters of base64: shown short, copied whole.
const LONG_TEXT = /(['"])[A-Za-z0-9+/=]{60,}\1/g;
const readable = (code) => code.replace(LONG_TEXT, (text, quote) => `${quote}… ${text.length - 2} letters${quote}`);

function render({ model, el }) {
  el.classList.add("ag-code");
  el.innerHTML = `
    <div class="ag-code-head"><span></span><button type="button" data-testid="copy-code">Copy</button></div>
    <pre tabindex="0" data-testid="code"></pre>`;
  const [title, button, code] = ["span", "button", "pre"].map((name) => el.querySelector(name));
  const pull = () => {
    title.textContent = model.get("title");
    code.textContent = readable(model.get("code")) || model.get("empty");
    code.classList.toggle("ag-empty", !model.get("code"));
    button.disabled = !model.get("code");
  };
  // Where the page may not write to the clipboard, the text is selected, so that Control+C does.
  const select = () => {
    code.textContent = model.get("code");
    getSelection().selectAllChildren(code);
  };
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
