/* What a press on a button of a page starts: Python in a worker, and what it answers. */

const ROOT = new URL(".", import.meta.url).href;
const SETTINGS = fetch(`${ROOT}settings.json`).then((answer) => answer.json());
/* The worker asks nobody but the host of the book, and runs no script of anybody else. */
const POLICY = "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; connect-src 'self'; worker-src blob:";
/* Loading that tells nothing for so long has failed. A cell may take as long as it likes. */
const PATIENCE = 180_000;
/* What has not ended by then is worth a word. */
const SOON = 5000;
const MOST = 2_000_000;

const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

/* --- Python ------------------------------------------------------------------------------ */

class Ended extends Error {}

/* One interpreter, from its start to its end. */
class Python {
  constructor() {
    this.next = 1;
    this.pending = new Map();
    this.ran = new Set();
    this.loaded = false;
    this.started = this.start();
    this.started.catch(() => {});
  }

  async start() {
    const settings = await SETTINGS;
    this.frame = make("iframe", { hidden: true, title: "Python", srcdoc: `<meta http-equiv="Content-Security-Policy" content="${POLICY}">` });
    const ready = new Promise((done) => this.frame.addEventListener("load", done, { once: true }));
    document.body.append(this.frame);
    await ready;
    const source = await (await fetch(`${ROOT}worker.js`)).text();
    if (this.over) throw new Ended(this.over);
    const { Worker, Blob, URL } = this.frame.contentWindow;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(url);
    this.worker.onerror = () => this.end("Python could not be started.");
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.onmessage = ({ data }) => this.hear(data);
    const at = (path) => new this.frame.contentWindow.URL(path, ROOT).href;
    this.worker.postMessage(
      { base: ROOT, wheels: settings.wheels.map(at), sympy: at("sympy.zip"), packages: settings.packages },
      [port2],
    );
    this.watch();
  }

  watch() {
    clearTimeout(this.watchdog);
    if (!this.loaded) this.watchdog = setTimeout(() => this.end("Python did not arrive in three minutes."), PATIENCE);
  }

  /* What comes from the worker may have been made by anybody's code: it is data, of known shapes. */
  hear(data) {
    const { type, id } = Object(data);
    const asked = this.pending.get(id);
    if (type === "stage" && (data.stage === "sympy" || data.stage === "run")) {
      for (const each of this.pending.values()) each.stage(data.stage);
    } else if (type === "printed" && asked && typeof data.text === "string" && data.text.length < MOST) {
      asked.printed(data.text);
    } else if (type === "done" && asked && typeof data.result === "string" && data.result.length < 4 * MOST) {
      this.loaded = true;
      clearTimeout(this.watchdog);
      this.pending.delete(id);
      try { asked.done(JSON.parse(data.result)); } catch (error) { asked.failed(error); }
    } else if (type === "dead" && asked && typeof data.reason === "string") {
      console.info(data.reason);
      this.end(this.loaded ? "Python broke down, and what it had computed is lost." : "Python could not be loaded.");
    } else {
      this.end("Python sent something that this page does not understand, and was ended.");
    }
  }

  async ask(request, given = {}, { printed = () => {}, stage = () => {} } = {}) {
    await this.started;
    if (this.over) throw new Ended(this.over);
    const id = this.next++;
    return new Promise((done, failed) => {
      this.pending.set(id, { done, failed, printed, stage });
      this.port.postMessage({ id, request, ...given });
    });
  }

  end(why) {
    if (this.over) return;
    this.over = why;
    clearTimeout(this.watchdog);
    this.worker?.terminate();
    this.port?.close();
    this.frame?.remove();
    for (const { failed } of this.pending.values()) failed(new Ended(why));
    this.pending.clear();
    if (python === this) python = null;
  }
}

let python = null;
const running = () => (python ??= new Python());
const stop = (why) => python?.end(why);
/* A page that was left comes back as it was, but perhaps without its worker. */
addEventListener("pagehide", () => stop("The page was left, and Python with it."));

/* --- what is shown ------------------------------------------------------------------------- */

/* `code`, *a word* and **words**; everything else is text. */
const inline = (text) => {
  const made = document.createDocumentFragment();
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*\w+\*|\$[^$]+\$)/)) {
    const [, code, strong, word, formula] = part.match(/^(?:`([^`]+)`|\*\*([^*]+)\*\*|\*(\w+)\*|\$([^$]+)\$)$/) ?? [];
    if (code) made.append(make("code", {}, code));
    else if (strong) made.append(make("strong", {}, strong));
    else if (word) made.append(make("em", {}, word));
    else if (formula && globalThis.katex) made.append(typeset(formula, false));
    else made.append(part);
  }
  return made;
};

/* A verdict or a hint: "Right. That is why." has its first sentence as a title. */
const said = (message, kind) => {
  const stop = message.indexOf(". ");
  const [title, rest] = stop < 0 ? [message, ""] : [message.slice(0, stop), message.slice(stop + 2)];
  return make("div", { class: `admonition ${kind}` },
    make("p", { class: "admonition-title" }, inline(title)), make("p", {}, inline(rest)));
};

let katexLoading;
const loadKatex = () => (katexLoading ??= globalThis.katex ? Promise.resolve() : new Promise((done) =>
  document.head.append(make("script", { src: `${ROOT}katex.min.js`, onload: done, onerror: done }))));

const typeset = (latex, displayMode) => {
  const place = make(displayMode ? "div" : "span", { class: "math" });
  try {
    // trust is false by default: no link and no picture comes of a formula
    globalThis.katex.render(latex, place, { displayMode, throwOnError: true, strict: false, maxSize: 40 });
  } catch {
    place.append(latex);
  }
  return place;
};

const formula = (latex) => typeset(latex.replace(/^\$+(\\displaystyle)?|\$+$/g, ""), true);

const splitRow = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

const table = (lines) => {
  const [header, rules, ...rows] = lines.map(splitRow);
  const right = rules.map((rule) => rule.endsWith(":"));
  const row = (tag, cells) => make("tr", {}, ...cells.map((cell, at) =>
    make(tag, { class: right[at] ? "text-right" : "text-left", scope: tag === "th" && "col" }, inline(cell))));
  return make("div", { class: "pst-scrollable-table-container" }, make("table", { class: "table" },
    make("thead", {}, row("th", header)), make("tbody", {}, ...rows.map((cells) => row("td", cells)))));
};

/* Of Markdown: tables, code and paragraphs, which is all that the book's cells write. */
const markdown = (text) => {
  const made = document.createDocumentFragment();
  for (const block of text.split(/(^```[\s\S]*?^```$)|\n{2,}/m)) {
    if (!block?.trim()) continue;
    const lines = block.trim().split("\n");
    if (block.startsWith("```")) made.append(make("pre", {}, lines.slice(1, -1).join("\n")));
    else if (lines.length > 1 && /^\|[\s:|-]+\|$/.test(lines[1].trim())) made.append(table(lines));
    else made.append(make("p", {}, inline(block.trim())));
  }
  return made;
};

/* Of HTML: the elements of a table and of a text, with their class, and nothing that acts. */
const TAGS = new Set("DIV P SPAN TABLE THEAD TBODY TFOOT TR TH TD CODE PRE EM STRONG B I SUB SUP BR WBR UL OL LI CAPTION".split(" "));
const KEPT = { class: /^[\w -]{0,99}$/, scope: /^(col|row)$/, colspan: /^\d{1,2}$/, rowspan: /^\d{1,2}$/ };
const BARS = /^background:\s*linear-gradient\([\w\s(),.%#-]*\)\s*;?$/;
const purified = (html) => {
  const copy = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
    if (!TAGS.has(node.nodeName)) return document.createDocumentFragment();
    const made = document.createElement(node.nodeName);
    for (const [name, form] of Object.entries(KEPT)) {
      if (form.test(node.getAttribute(name) ?? "\n")) made.setAttribute(name, node.getAttribute(name));
    }
    const style = node.getAttribute("style") ?? "";
    if (BARS.test(style)) made.setAttribute("style", style);
    made.append(...[...node.childNodes].map(copy));
    return made;
  };
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const made = document.createDocumentFragment();
  made.append(...[...parsed.body.childNodes].map(copy));
  return made;
};

/* A lab or a picture, which this page shows already, as the book was built. */
const AS_BUILT = /class="(?:lab|explorer|calculator|picture)\b|<svg\b/;

const output = async (forms) => {
  const html = forms["text/html"], md = forms["text/markdown"], latex = forms["text/latex"];
  if (html !== undefined && !AS_BUILT.test(html)) return purified(html);
  if (html !== undefined) return null;
  if (md !== undefined || latex !== undefined) await loadKatex();
  if (md !== undefined) return markdown(md);
  if (latex !== undefined) return formula(latex);
  return forms["text/plain"] === undefined ? document.createDocumentFragment() : make("pre", {}, forms["text/plain"]);
};

/* --- loading, in words ---------------------------------------------------------------------- */

const size = async () => Math.round((await SETTINGS).bytes / 1e6);

const loading = async (say) => {
  if (python?.loaded) return;
  say(`Loading Python, ${await size()} MB, once …`);
};

const stageIn = (say) => async (stage) => {
  if (stage === "sympy") say(`Loading SymPy, ${Math.round((await SETTINGS).sympy / 1e6)} MB, once …`);
  else say("Python is at work …");
};

const explain = (error) => (error instanceof Ended ? `${error.message} The next press starts it afresh.` : String(error));

/* --- answers --------------------------------------------------------------------------------- */

const given = new Map();

export const check = async (box, remember) => {
  const { exercise } = box.dataset, place = box.querySelector("output"), button = box.querySelector("[type=submit]");
  const say = (text) => place.replaceChildren(make("p", {}, text));
  if (box.classList.contains("busy")) return;
  box.classList.add("busy");
  button.textContent = "Stop";
  button.onclick = (event) => { event.preventDefault(); stop("You stopped Python, and what it had computed is lost."); };
  const texts = [...box.elements].filter((field) => field.name === "answer").map((field) => field.value);
  try {
    await loading(say);
    const { right, message } = await running().ask("check", { exercise, texts }, { stage: stageIn(say) });
    place.replaceChildren(said(String(message), right === true ? "tip" : "warning"));
    remember(exercise, texts, right === true);
  } catch (error) {
    say(explain(error));
  } finally {
    box.classList.remove("busy");
    button.textContent = "Check";
    button.onclick = null;
  }
};

export const hint = async (box) => {
  const { exercise } = box.dataset, place = box.querySelector("output");
  const say = (text) => place.replaceChildren(make("p", {}, text));
  try {
    await loading(say);
    const step = (given.get(exercise) ?? 0) + 1;
    const { message } = await running().ask("hint", { exercise, step });
    given.set(exercise, String(message).startsWith("No more") ? 0 : step);
    place.replaceChildren(said(String(message), "hint"));
  } catch (error) {
    say(explain(error));
  }
};

/* --- cells ------------------------------------------------------------------------------------ */

let cells;
const ownCells = () => (cells ??= fetch(`${ROOT}cells/${document.documentElement.dataset.cells}.json`)
  .then((answer) => answer.json()));

const editors = new Map();

/* The code of a cell becomes a field; what runs it stands below. */
export const open = async (frame, at) => {
  if (editors.has(at)) return editors.get(at).run();
  const all = await ownCells();
  const number = all.findIndex((cell) => cell.shown === at);
  const code = frame.querySelector(".highlight"), cell = frame.closest(".cell");
  const built = cell.querySelector(":scope > .cell_output, :scope > details > .cell_output");
  const source = all[number].source;
  const field = make("textarea", { spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": `Code of cell ${at + 1}`, rows: source.split("\n").length });
  field.value = source;
  const fresh = make("div", { class: "fresh" }), status = make("p", { role: "status" });
  const button = (text, act, title) => make("button", { type: "button", onclick: act, title }, text);
  const halt = button("Stop", () => stop("You stopped Python, and what it had computed is lost."), "End Python; what it has computed is lost");
  const reset = button("Reset", () => {
    stop("Python was ended.");
    editor.remove();
    fresh.remove();
    code.hidden = false;
    if (built) built.hidden = false;
    editors.delete(at);
    frame.querySelector(".run")?.focus();
  }, "Put the cell back as it was, and let Python forget everything");
  const press = () => run();
  const editor = make("div", { class: "editor" }, field,
    make("div", { class: "bar" }, button("Run", press, "Run this cell: Ctrl+Enter"), halt, reset, status));
  halt.hidden = true;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  field.addEventListener("input", () => { field.rows = Math.max(1, field.value.split("\n").length); });
  code.hidden = true;
  frame.append(editor);
  cell.append(fresh);
  field.focus();
  const say = (text) => { status.textContent = text; };
  let busy = false;
  const run = async () => {
    if (busy) return;
    busy = true;
    halt.hidden = false;
    const late = setTimeout(() => say(`${status.textContent} Python in a page is several times slower than elsewhere, so this may take half a minute. Stop ends it.`), SOON);
    try {
      await execute(number, { field, fresh, built, say });
    } catch (error) {
      say(explain(error));
    } finally {
      clearTimeout(late);
      busy = false;
      halt.hidden = true;
    }
  };
  editors.set(at, { run, number, source: () => field.value });
  return run();
};

/* What a cell needs of earlier ones, in order, less what has been run. */
const needed = (all, number, ran, found = new Set()) => {
  for (const each of all[number].needs) {
    if (!found.has(each) && !ran.has(each)) { found.add(each); needed(all, each, ran, found); }
  }
  return [...found].sort((a, b) => a - b);
};

const textOf = (all, number) =>
  [...editors.values()].find((editor) => editor.number === number)?.source() ?? all[number].source;

const execute = async (number, { field, fresh, built, say }) => {
  const all = await ownCells();
  await loading(say);
  const session = running(), started = performance.now();
  await session.ask("load");
  const first = needed(all, number, session.ran);
  const imports = new Set([number, ...first].flatMap((each) => all[each].imports));
  const missing = [...imports].filter((line) => !session.ran.has(line));
  if (missing.length) {
    say("Python is at work …");
    // an import that a page cannot do fails again in the cell, which then says so
    for (const line of missing) await session.ask("run", { source: line, name: "imports" }, { stage: stageIn(say) });
    missing.forEach((line) => session.ran.add(line));
  }
  const seconds = Math.round(first.reduce((sum, each) => sum + all[each].seconds, 0));
  for (const [at, each] of first.entries()) {
    say(`First runs what this cell needs: ${at + 1} of ${first.length} …${seconds > 4 ? ` This takes about ${seconds} s.` : ""}`);
    const { error, missing: lacks } = await session.ask("run", { source: textOf(all, each), name: `cell ${each + 1}` });
    if (error && !lacks) {
      say("An earlier cell that this one needs failed:");
      fresh.replaceChildren(make("pre", { class: "failed" }, String(error)));
      return;
    }
    session.ran.add(each);
  }
  say(all[number].seconds > 4 ? `Python is at work. This takes about ${Math.round(all[number].seconds)} s …` : "Python is at work …");
  const printed = make("pre", {});
  const shown = make("div", {});
  let begun = false;
  const begin = () => { if (!begun) { begun = true; fresh.replaceChildren(shown); if (built) built.hidden = true; } };
  const { outputs, error, missing: lacks } = await session.ask("run", { source: field.value, name: `cell ${number + 1}` }, {
    printed: (text) => { begin(); if (!printed.isConnected) shown.append(printed); printed.append(text); },
    stage: stageIn(say),
  });
  session.ran.add(number);
  if (lacks) {
    fresh.replaceChildren();
    if (built) built.hidden = false;
    say(`Python in a page has no ${lacks}, so this is the output of the book as it was built.`);
    return;
  }
  let asBuilt = false;
  for (const forms of outputs) {
    const made = await output(forms);
    if (made) { begin(); shown.append(make("div", { class: "output" }, made)); } else asBuilt = true;
  }
  begin();
  if (error) shown.append(make("pre", { class: "failed" }, String(error)));
  if (asBuilt && built) {
    built.hidden = false;
    say("A lab or a picture is not drawn anew here: it stays as the book was built.");
  } else {
    say(`${error ? "It failed" : "Done"} after ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  }
};

/* For what is no button: ask Python for a thing, and get its answer and what was printed as data. */
export const ask = async (request, given) => {
  let printed = "";
  const result = await running().ask(request, given, { printed: (text) => { printed += text; } });
  return result && { ...result, printed };
};
