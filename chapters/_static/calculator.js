/* The calculators: fields to fill in, and what follows from them, to the last digit.
   flopsbook/labs/form.py writes every formula into the page as an expression of BigInts,
   with the counts that Python made of some settings; nothing is asked of anybody else. */
(() => {
"use strict";

const { make, grouped, human, beside, breakable, q } = shared;

// --- reading and counting, without a page ---------------------------------------

const ZEROS = { "": 0, k: 3, K: 3, M: 6, G: 9, B: 9, T: 12, P: 15, E: 18, Z: 21 };

/* "4.1 G", "4,089,184,256", "3.14e23": the number, and the unit of its last digit that counts. */
const read = (text, name, least = 1n) => {
  const wanted = `${name} must be a ${least ? "positive " : ""}whole number such as 4,089,184,256 or 4.1 G`;
  if (!text.trim()) throw new RangeError(`${wanted}; the field is empty`);
  const found = /^(\d+)(?:\.(\d+))?(?:e\+?(\d{1,2}))?([kKMGBTPEZ]?)$/.exec(text.replace(/[\s,_'’]/g, ""));
  const refused = new RangeError(`${wanted}, got ${text.trim().slice(0, 40)}`);
  if (!found) throw refused;
  const [, whole, after = "", power = "0", letter] = found;
  const zeros = Number(power) + ZEROS[letter] - after.length;
  let value = BigInt(whole + after), unit = 1n;
  if (zeros >= 0) value *= 10n ** BigInt(zeros);
  else {
    if (value % 10n ** BigInt(-zeros)) throw refused;
    value /= 10n ** BigInt(-zeros);
  }
  if (value < least) throw refused;
  if (String(value).length > 40) throw new RangeError(`${name} has ${String(value).length} digits, and there is room here for 40`);
  if (zeros > 0) unit = 10n ** BigInt(zeros);
  else if (!after) while (value && value % (unit * 10n) === 0n) unit *= 10n;
  return { value, unit };
};

/* An exact ratio, rounded half up to three digits: 0.0313, 1.07, 24.4, 1,234. */
const ratio = (above, below) => {
  for (let decimals = 0n; ; decimals++) {
    const scaled = (2n * above * 10n ** decimals + below) / (2n * below);
    if (scaled < 100n && decimals < 12n && above) continue;
    const digits = String(scaled).padStart(Number(decimals) + 1, "0"), at = digits.length - Number(decimals);
    return decimals ? `${digits.slice(0, at)}.${digits.slice(at)}` : scaled < 10000n ? grouped(scaled) : human(scaled);
  }
};
const TIMES = [["ps", 1n, 10n ** 12n], ["ns", 1n, 10n ** 9n], ["µs", 1n, 10n ** 6n], ["ms", 1n, 1000n], ["s", 1n, 1n],
  ["minutes", 60n, 1n], ["hours", 3600n, 1n], ["days", 86400n, 1n], ["years", 31557600n, 1n]];
const duration = (above, below) => {  // a number of seconds, in the largest unit of which it is one at least
  const [unit, seconds, parts] = TIMES.filter(([, s, p]) => above * p >= below * s).at(-1) || TIMES[0];
  return `${ratio(above * parts, below * seconds)} ${unit}`;
};

const engine = (data) => {
  const names = data.fields.filter(({ kind }) => kind === "size").map(({ name }) => name);
  const code = (text) => new Function(...names, "q", `"use strict"; return ${text};`);
  const formulas = data.formulas.map(code);
  const key = (point) => data.switches.map((name) => Number(point[name])).join(".");
  const used = (point, { only }) => !only || Object.entries(only).every(([name, value]) => Number(point[name]) === value);
  const sizes = (point) => [...names.map((name) => point[name]), q];
  const work = (at, point) => formulas[at](...sizes(point));
  const problem = (point) => {
    for (const { above, below, says, only } of data.rules)
      if (used(point, { only }) && work(above, point) % work(below, point)) return says.replace(/\{(\w+)\}/g, (_, name) => grouped(point[name]));
    for (const { less, more, says, only } of data.limits)
      if (used(point, { only }) && work(less, point) > work(more, point)) return says.replace(/\{(\w+)\}/g, (_, name) => grouped(point[name]));
    return "";
  };
  const count = (point) => Object.fromEntries(Object.entries(data.values).map(([name, of]) => [name, work(of[key(point)], point)]));
  const point = (texts) => Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, typeof value === "string" ? BigInt(value) : value]));
  const wrong = () => {
    for (const { at, is } of data.checks) {
      const shown = Object.values(count(point(at))).map(String);
      if (shown.join() !== is.join()) return `${data.name} counts ${shown.join(", ")} here, and ${is.join(", ")} in the library`;
    }
    return "";
  };
  /* The models of which this is the number of MACs or of FLOPs, to the digits that were given. */
  const recognised = (value, unit) => data.known.flatMap(([title, macs]) => [["MACs", BigInt(macs)], ["FLOPs", 2n * BigInt(macs)]]
    .filter(([, known]) => { const off = known > value ? known - value : value - known; return 2n * off <= unit; })
    .map(([reading, known]) => ({ title, reading, known })));
  return { data, used, problem, count, point, wrong, recognised };
};

// --- a calculator in a page -------------------------------------------------------

const build = (root) => {
  const data = JSON.parse(root.querySelector("script").textContent), one = engine(data), key = `calculator-${data.name}`;
  const broken = one.wrong();
  if (broken) throw new RangeError(broken);
  let point = one.point(data.presets[0].values), units = {}, controls = [], timer;
  const note = make("p", { class: "calculator-note", role: "status", "data-output": "note" });
  const error = make("p", { class: "calculator-error", role: "alert", "data-output": "error" });
  const results = make("div", { class: "calculator-results", tabindex: 0, role: "group", "aria-label": "the results" });

  const known = () => data.presets.findIndex(({ values }) => Object.entries(one.point(values)).every(([name, value]) => point[name] === value));
  const preset = make("select", { id: `${key}-preset`, name: "preset", onchange: () => {
    if (preset.value !== "") { point = { ...point, ...one.point(data.presets[preset.value].values) }; units = {}; fill(); show(); }
  } }, ...data.presets.map(({ what }, at) => make("option", { value: at }, what)), make("option", { value: "" }, "your own"));
  const control = (field) => {
    const id = `${key}-${field.name}`, attributes = { id, name: field.name };
    if (field.kind === "flag")
      return make("input", { ...attributes, type: "checkbox", onchange: (event) => { point[field.name] = event.target.checked; changed(); } });
    if (field.kind === "choice")
      return make("select", { ...attributes, onchange: (event) => { point[field.name] = BigInt(event.target.value); changed(); } },
        ...field.options.map((text, at) => make("option", { value: at }, text)));
    return make("input", { ...attributes, type: "text", autocomplete: "off", "aria-describedby": `${id}-said`, onchange: () => fill(), oninput: (event) => {
      try {
        const { value, unit } = read(event.target.value, field.label);
        point[field.name] = value;
        units[field.name] = unit;
        event.target.removeAttribute("aria-invalid");
        changed(field.name);
      } catch (problem) {
        event.target.setAttribute("aria-invalid", "true");
        refuse(problem.message);
      }
    } });
  };
  // the address: what the reader chose, and nothing before a choice was made
  const written = () => data.fields.map(({ kind, name, options }) => {
    const value = point[name];
    return `${name}-${kind === "flag" ? +value : kind === "choice" ? options[value] : value}`;
  }).join("~");
  const remember = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const url = new URL(location.href);
      url.searchParams.set(key, written());
      try { history.replaceState(history.state, "", url); } catch { /* a page that may not */ }
    }, 250);
  };
  const asked = ({ kind, name, label, options }, text) => {
    if (text === undefined) throw new RangeError(`it says nothing about ${label}`);
    if (kind === "size") return read(text, label).value;
    const among = kind === "flag" ? ["0", "1"] : options, at = among.indexOf(text);
    if (at < 0) throw new RangeError(`${label} must be one of ${among.join(", ")}, got ${text.slice(0, 40)}`);
    return kind === "flag" ? at === 1 : BigInt(at);
  };
  const restore = () => {
    const address = new URLSearchParams(location.search).get(key);
    if (!address) return "";
    const texts = Object.fromEntries(address.split("~").map((part) => [part.slice(0, part.indexOf("-")), part.slice(part.indexOf("-") + 1)]));
    try {
      const wanted = Object.fromEntries(data.fields.map((field) => [field.name, asked(field, texts[field.name])]));
      const refused = one.problem(wanted);
      if (refused) throw new RangeError(refused);
      point = wanted;
    } catch (problem) { return `The address asks for an impossible setting: ${problem.message}.`; }
    return "";
  };

  const refuse = (message) => { error.textContent = `${message}.`; results.replaceChildren(); note.textContent = ""; };
  const changed = (typing) => { fill(typing); show(); };
  const fill = (typing) => {
    for (const { field, input, row, said } of controls) {
      row.hidden = !one.used(point, field);
      if (field.kind === "flag") input.checked = point[field.name];
      else if (field.kind === "choice") input.value = point[field.name];
      else {
        said.textContent = beside(point[field.name]);
        if (field.name !== typing) { input.value = grouped(point[field.name]); input.removeAttribute("aria-invalid"); }
      }
    }
    const at = known();
    preset.value = at < 0 ? "" : at;
  };
  const cell = (values, of) => {
    if (!of) return make("td");
    const { name, over, time } = of, value = values[name];
    if (over) return make("td", { "data-output": name, "data-exact": `${value}/${values[over]}` }, (time ? duration : ratio)(value, values[over]));
    const exact = value < 10000n ? [] : [make("small", {}, ...breakable(grouped(value)))];
    return make("td", { "data-output": name, "data-exact": value }, make("span", {}, human(value)), ...exact);
  };
  const row = (values, { label, cells }) => make("tr", {}, make("th", { scope: "row" }, label), ...cells.map((of) => cell(values, of)));
  const show = () => {
    const refused = one.problem(point);
    if (refused) { refuse(refused); return; }
    error.textContent = "";
    const values = one.count(point);
    results.replaceChildren(...data.groups.map(({ title, columns, rows }) => make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, title), ...columns.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map((one) => row(values, one))))));
    note.replaceChildren(...reading(), data.note);
  };
  const reading = () => {
    if (!data.known.length) return [];
    const { name } = data.fields[0], found = one.recognised(point[name], units[name] || 1n);
    return found.slice(0, 4).map(({ title, reading, known }) => make("span", { class: "calculator-known" },
      `${human(point[name])} is what ${title} costs in ${reading}: ${grouped(known)}. `));
  };

  controls = data.fields.map((field) => {
    const input = control(field), said = make("small", { id: `${input.id}-said` });
    const row = field.kind === "flag"
      ? make("p", { class: "calculator-flag" }, make("label", {}, input, ` ${field.label}`))
      : make("p", { class: "calculator-field" }, make("label", { for: input.id }, field.label), input, said);
    return { field, input, row, said };
  });
  const begin = data.begin ? [make("p", { class: "calculator-field calculator-preset" }, make("label", { for: preset.id }, data.begin), preset)] : [];
  const inside = make("div", { class: "calculator-inside" }, ...begin, make("div", { class: "calculator-fields" }, ...controls.map(({ row }) => row)), error, results, note);
  root.append(inside);
  const refused = restore();
  fill();
  show();
  if (refused) error.textContent = refused;
  inside.addEventListener("input", remember);
  inside.addEventListener("change", remember);
  root.querySelector(".lab-fallback").hidden = true;
};

// the tests run this file without a page
if (typeof document === "undefined") globalThis.calculator = { engine, read, ratio, duration, human };
else for (const root of document.querySelectorAll(".calculator")) {
  try {
    build(root);
    root.dataset.state = "ready";
  } catch (problem) {
    root.dataset.state = "broken";
    root.querySelector(".calculator-inside")?.remove();
    root.prepend(make("p", { class: "calculator-error", role: "alert" }, `This calculator shows no numbers, because they would be wrong: ${problem.message}.`));
  }
}
})();
