/* The formula labs: sliders for the letters of a formula, and the count to the last digit.
   flopsbook/labs writes what a lab has to know into the page, its formulas as expressions of
   BigInts; nothing is asked of anybody else. Only the plot uses doubles. */
(() => {
"use strict";

const { make, grouped, human, beside, breakable, q, least } = shared;
const letterNodes = (text) => {  // "4·d_ff / h": each letter slanted, what follows "_" set low
  return text.split(/([A-Za-z]+(?:_[A-Za-z]+)?)/).map((part, at) => {
    if (at % 2 === 0) return part;
    const [stem, low] = part.split("_");
    return make("span", {}, make("i", {}, stem), ...(low ? [make("sub", {}, low)] : []));
  });
};

// --- counting ---------------------------------------------------------------

const gcd = (a, b) => (b ? gcd(b, a % b) : a);
const lcm = (a, b) => (a / gcd(a, b)) * b;

const NICE = [1n, 2n, 3n];
for (let power = 1n; power < 2n ** 40n; power *= 2n) for (const m of [4n, 5n, 6n, 7n]) NICE.push(m * power);

const divisors = (n) => {
  const found = new Set();
  for (let k = 1n; k * k <= n && k < 20000n; k++) if (n % k === 0n) found.add(k).add(n / k);
  return [...found];
};

/* A cost function: `count(point)`, what is wrong with a point, and what a slider offers. A point
   gives a BigInt for each letter but those left to their defaults, and a bool for each flag. */
const engine = (spec) => {
  const names = spec.letters.map((about) => about.letter);
  const code = (text) => new Function(...names, "q", "least", `"use strict"; return ${text};`);
  const formulas = spec.formulas.map(code);
  for (const about of spec.letters) if (about.default) about.work = code(about.default);
  const argument = Object.fromEntries(spec.letters.map((about) => [about.letter, about.argument]));

  const divisions = (point) => spec.divides.filter(([d, n, unless]) =>
    d in point && n in point && !(unless in point));
  const complete = (point) => {
    const whole = { ...point };
    for (const { letter, work } of spec.letters)
      if (!(letter in whole)) whole[letter] = work(...names.map((name) => whole[name]), q, least);
    return whole;
  };
  const problem = (point) => {
    const said = (rule, a, b) =>
      `${argument[a]} must ${rule} ${argument[b]}, got ${argument[a]}=${point[a]} and ${argument[b]}=${point[b]}`;
    for (const [d, n] of divisions(point)) if (point[n] % point[d]) return said("divide", d, n);
    for (const [big, small] of spec.atLeast)
      if (big in point && point[big] < point[small]) return said("be at least", big, small);
    return "";
  };
  const count = (point) => {
    const whole = complete(point), sizes = [...names.map((name) => whole[name]), q, least];
    const variant = spec.variants[Object.keys(spec.flags).map((flag) => +point[flag]).join("")];
    const work = (at) => formulas[at](...sizes);
    const total = Object.fromEntries(Object.entries(variant.total).map(([name, at]) => [name, work(at)]));
    const steps = variant.steps.map((step) => {
      const one = { macs: work(step.macs), multiplications: work(step.multiplications), additions: work(step.additions) };
      one.flops = 2n * one.macs;
      one.exact_flops = one.multiplications + one.additions;
      return { name: step.name, unit: step.unit, one, outputs: work(step.outputs) };
    });
    for (const name in total) {
      const sum = steps.reduce((so_far, step) => so_far + step.one[name] * step.outputs, 0n);
      if (sum !== total[name]) throw new RangeError(`the steps sum to ${sum} ${name}, the formula to ${total[name]}`);
    }
    return { total, steps, whole };
  };
  const unit = (point, letter) =>
    divisions(point).reduce((m, [d, n]) => (n === letter ? lcm(m, point[d]) : m), 1n);
  const offered = (point, letter) => {
    const multiples = divisions(point).filter(([d]) => d === letter).map(([, n]) => point[n]);
    const most = BigInt(spec.letters.find((about) => about.letter === letter).most);
    const m = unit(point, letter);
    const values = multiples.length ? divisors(multiples.reduce(gcd)) : NICE.map((n) => n * m).filter((n) => n <= most || n === m);
    const fitting = values.filter((value) => !problem({ ...point, [letter]: value }));
    return [...new Set([...fitting, point[letter]])].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  };
  const point = (texts) => Object.fromEntries(Object.entries(texts).map(
    ([name, value]) => [name, typeof value === "string" ? BigInt(value) : value]));
  const wrong = () => {  // the points that Python counted
    for (const check of spec.checks) {
      const { total } = count(point(check.at));
      const shown = Object.values(total).map(String);
      if (shown.join() !== check.is.join()) return `${spec.name} counts ${shown.join(", ")} here, and ${check.is.join(", ")} in the library`;
    }
    return "";
  };
  return { spec, complete, problem, count, offered, unit, point, wrong };
};

const typed = (text, name) => {
  const digits = text.replace(/[\s,_'’]/g, "");
  const wanted = `${name} must be a positive integer`;
  if (!digits) throw new RangeError(`${wanted}; the field is empty`);
  if (!/^\d+$/.test(digits) || /^0+$/.test(digits)) throw new RangeError(`${wanted}, got ${text.trim().slice(0, 40)}`);
  if (digits.length > 30) throw new RangeError(`${name} has ${digits.length} digits, and there is room here for 30`);
  return BigInt(digits);
};

/* A figure along one letter: for everything, or for each series; null where that is refused. */
const along = (one, point, figure, axis, value) => {
  const moved = { ...point, [axis]: value };
  if (one.problem(moved)) return null;
  const { total, steps } = one.count(moved);
  if (!one.spec.series) return [total[figure]];
  return Object.values(one.spec.series).map((names) => steps.filter(({ name }) => names.includes(name))
    .reduce((sum, step) => sum + step.one[figure] * step.outputs, 0n));
};

/* Say where the first of two series begins to cost more than the second, or ceases to. */
const crossing = (one, point, figure, axis, kept) => {
  const [first, second] = Object.keys(one.spec.series), more = (row) => row[0] > row[1];
  const m = one.unit(point, axis), found = [];
  for (let n = 1; n < kept.length; n++) {
    let [low, high] = [kept[n - 1], kept[n]];
    if (more(low[1]) === more(high[1])) continue;
    while (high[0] - low[0] > m) {  // halve the interval; both ends are multiples of m
      const middle = low[0] + ((high[0] - low[0]) / m / 2n) * m, row = along(one, point, figure, axis, middle);
      if (!row) break;
      if (more(row) === more(low[1])) low = [middle, row]; else high = [middle, row];
    }
    found.push(`From ${axis} = ${grouped(high[0])} on, ${more(high[1]) ? `${first} costs more than ${second}` : `${second} costs at least as much as ${first}`}.`);
  }
  return found.join(" ") || `${more(kept[0][1]) ? first : second} costs more in the whole range.`;
};

// --- the plot ---------------------------------------------------------------

const power = (exponent) => "10" + [...String(exponent)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

const plot = (frame, curves, now, label) => {
  const width = Math.max(frame.clientWidth, 260), height = 230, left = 44, right = 14, top = 14, bottom = 30;
  const all = curves.flatMap((curve) => curve.points).filter(([, y]) => y > 0);
  const log = Math.log10, xs = all.map(([x]) => log(x)), ys = all.map(([, y]) => log(y));
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)], [y0, y1] = [Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys) + 1e-9)];
  const at = ([x, y]) => [
    left + ((log(x) - x0) / (x1 - x0 || 1)) * (width - left - right),
    height - bottom - ((log(y) - y0) / (y1 - y0 || 1)) * (height - top - bottom)];
  const drawing = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  const every = Math.ceil((y1 - y0) / 5) || 1;
  for (let e = y0; e <= y1; e += every) {
    const [, y] = at([10 ** x0, 10 ** e]);
    drawing.append(make("line", { class: "lab-rule", x1: left, x2: width - right, y1: y, y2: y }),
      make("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, power(e)));
  }
  const stops = curves[0].points.map(([x]) => x);
  let last = -Infinity;
  for (const [n, x] of stops.entries()) {
    const [place] = at([x, 1]), end = n === stops.length - 1;
    const whole = stops.length < 8 || Number.isInteger(Math.log2(x));
    if (end ? place - last < 40 : !whole || place - last < 64 || width - right - place < 64) continue;
    last = place;
    drawing.append(make("text", { x: Math.min(place, width - right), y: height - 8, "text-anchor": end ? "end" : "middle" }, grouped(x)));
  }
  for (const { points, colour, name } of curves) {
    const shown = points.filter(([, y]) => y > 0).map(at);
    if (!shown.length) continue;
    drawing.append(make("path", { d: "M" + shown.map((p) => p.map((n) => n.toFixed(1)).join(" ")).join("L"), style: `stroke: var(${colour})` }));
    const here = points.find(([x]) => x === now);
    if (here && here[1] > 0) {
      const [cx, cy] = at(here);
      drawing.append(make("circle", { cx, cy, r: 5, style: `fill: var(${colour})` }));
    }
    if (curves.length > 1)  // curves rise to the right, so the upper left is free for their names
      drawing.append(make("text", { x: left + 10, y: top + 14 + 18 * curves.findIndex((one) => one.name === name), style: `fill: var(${colour})` }, `— ${name}`));
  }
  frame.replaceChildren(drawing);
};

// --- a lab ------------------------------------------------------------------

// the whole of attention is several parts, so its curve has the colour of none of them
const COLOURS = ["--ink", "--ffn"];
// the parts of a Transformer layer have the colours of the figures
const PARTS = [["--ffn", /^((first|second) linear|(gate|up|down) projection)$/], ["--projection", /projection$/], ["--square", /^(scores|weighted sum)/]];
const tintOf = (step) => `${(PARTS.find(([, names]) => names.test(step)) || ["--multiplication"])[0]}-tint`;

const build = (root) => {
  const data = JSON.parse(root.querySelector("script").textContent);
  const id = root.dataset.lab, key = `lab-${id}`, figures = Object.entries(data.figures);
  const engines = data.functions.map(engine);
  const broken = engines.map((one) => one.wrong()).find(Boolean);
  if (broken) throw new RangeError(broken);

  let one, point, figure = "macs", axis, sizes, timer;
  const controls = make("div", { class: "lab-controls" });
  const note = make("p", { class: "lab-note", role: "status", "data-output": "note" });
  const spoken = make("output", { class: "lab-spoken", "aria-live": "polite", "data-output": "spoken" });
  const results = make("div", { class: "lab-figures", role: "radiogroup", "aria-label": "the count" });
  const table = make("div", { class: "lab-steps", tabindex: 0, role: "group", "aria-label": "step by step: one output × outputs" });
  const without = make("p", { class: "lab-caption", "data-output": "without" });
  const frame = make("div", { class: "lab-plot" });
  const says = make("p", { class: "lab-caption", "data-output": "caption" });
  const against = make("select", { name: "axis", id: `${key}-axis`, onchange: () => { axis = against.value; update(); } });

  const preset = make("select", { name: "preset", id: `${key}-preset`, onchange: () => {
    if (preset.value !== "") { point = one.point(one.spec.presets[preset.value].values); fill(); update(); }
  } });
  const labelled = (text, control) => make("p", { class: "lab-choice" }, make("label", { for: control.id }, text), control);
  const choice = make("select", { name: "function", id: `${key}-function`, onchange: () => choose(+choice.value, 0) },
    ...data.functions.map((spec, at) => make("option", { value: at }, spec.title)));

  const choose = (number, start) => {
    one = engines[number];
    choice.value = number;
    point = one.point(one.spec.presets[start].values);
    axis = one.spec.letters[0].letter;
    const options = one.spec.presets.map(({ what }, at) => make("option", { value: at }, what));
    preset.replaceChildren(...options, make("option", { value: "" }, "your own sizes"));
    against.replaceChildren(...one.spec.letters.map(({ letter, argument }) => make("option", { value: letter }, `${letter} (${argument})`)));
    lay();
    fill();
    update();
  };

  // a row of controls for each letter, a box for each flag
  const lay = () => {
    sizes = one.spec.letters.map((about) => {
      const { letter, argument, meaning } = about, name = `${key}-${letter}`;
      const field = make("input", { type: "text", inputmode: "numeric", autocomplete: "off", id: name, name: letter, "aria-describedby": `${name}-error`,
        oninput: () => take(about, field.value) , onchange: () => { if (!error.textContent) fill(); } });
      const slider = make("input", { type: "range", min: 0, name: `${letter}-slider`, "aria-label": `${letter}: ${meaning}`,
        oninput: () => { set(letter, size.values[slider.value]); fill(letter); update(); } });
      const error = make("p", { class: "lab-error", id: `${name}-error`, "aria-live": "polite", "data-error": letter });
      const auto = about.default && make("input", { type: "checkbox", name: `${letter}-usual`, onchange: () => {
        if (auto.checked) delete point[letter]; else point[letter] = one.complete(point)[letter];
        const refused = one.problem(point);
        if (refused) { error.textContent = refused; point[letter] = one.complete(point)[letter]; auto.checked = false; return; }
        fill(); update();
      } });
      const usual = auto ? [make("label", { class: "lab-usual" }, auto, make("span", {}, ...letterNodes(`${letter} = ${about.usual}`)))] : [];
      const row = make("div", { class: "lab-size" },
        make("label", { for: name }, make("b", {}, ...letterNodes(letter)), " ", make("span", {}, meaning)), slider, field, ...usual, error);
      const size = { about, field, slider, error, auto, row, values: [] };
      return size;
    });
    const flags = Object.keys(one.spec.flags).map((flag) => make("label", {}, make("input", { type: "checkbox", name: flag, onchange: (event) => {
      point[flag] = event.target.checked; fill(); update();
    } }), ` ${flag}`));
    controls.replaceChildren(...sizes.map(({ row }) => row), make("p", { class: "lab-flags" }, ...flags));
  };

  const set = (letter, value) => { point = { ...point, [letter]: value }; };
  const take = ({ letter, argument }, text) => {
    const { field, error } = sizes.find(({ about }) => about.letter === letter);
    let refused = "";
    try {
      const value = typed(text, argument);
      refused = one.problem({ ...point, [letter]: value });
      if (!refused) { set(letter, value); fill(null, letter); update(); }
    } catch (problem) { refused = problem.message; }
    error.textContent = refused && `${refused}.`;
    field.setAttribute("aria-invalid", Boolean(refused));
  };

  // bring the controls in line with the point, but leave alone what the reader has in hand
  const fill = (sliding, typing) => {
    const whole = one.complete(point);
    for (const { about: { letter }, ...size } of sizes) {
      const given = letter in point, mine = sizes.find(({ about }) => about.letter === letter);
      if (size.auto) size.auto.checked = !given;
      if (letter !== sliding) mine.values = given ? one.offered(point, letter) : [whole[letter]];
      size.slider.max = mine.values.length - 1;
      size.slider.value = mine.values.findIndex((value) => value === whole[letter]);
      size.slider.setAttribute("aria-valuetext", grouped(whole[letter]));
      size.slider.disabled = mine.values.length < 2;
      size.field.disabled = !given;
      if (letter !== typing) {
        size.field.value = grouped(whole[letter]);
        size.error.textContent = "";
        size.field.removeAttribute("aria-invalid");
      }
    }
    for (const box of controls.querySelectorAll(".lab-flags input")) box.checked = point[box.name];
    const same = (values) => Object.keys({ ...values, ...point }).every((name) => values[name] === point[name]);
    const known = one.spec.presets.findIndex(({ values }) => same(one.point(values)));
    preset.value = known < 0 ? "" : known;
    against.value = axis;
  };

  const update = () => {
    const { total, steps } = one.count(point);
    results.replaceChildren(...figures.map(([name, label]) => make("label", {},
      make("input", { type: "radio", name: `${key}-figure`, value: name, ...(name === figure && { checked: true }), onchange: () => { figure = name; update(); results.querySelector("input:checked").focus(); } }),
      make("span", {}, label), make("small", { class: "lab-human", "data-human": name }, beside(total[name])), make("b", { "data-output": name }, ...breakable(grouped(total[name]))))));
    spoken.textContent = `${human(total[figure])} ${data.figures[figure]}, exactly ${grouped(total[figure])}`;
    showSteps(steps, total[figure]);
    showPlot();
    note.textContent = "";
  };

  const showSteps = (steps, whole) => {
    const row = (step) => {
      const product = step.one[figure] * step.outputs, share = whole ? Number((product * 1000n) / whole) / 10 : 0;
      return make("tr", { "data-step": step.name },
        make("th", { scope: "row" }, step.name, make("span", {}, step.unit)),
        make("td", { class: "lab-share", style: `background-image: linear-gradient(90deg, var(${tintOf(step.name)}) ${share}%, transparent 0)` }, `${share.toFixed(1)} %`),
        make("td", {}, grouped(step.one[figure])), make("td", {}, `× ${grouped(step.outputs)}`), make("td", {}, `= ${grouped(product)}`));
    };
    const head = ["step", "share", `${data.figures[figure]} of one output`, "× outputs", "= together"];
    const some = steps.filter((step) => step.one[figure] * step.outputs), none = steps.filter((step) => !some.includes(step));
    table.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...some.map(row))));
    without.textContent = none.length ? `No ${data.figures[figure]}: ${none.map(({ name }) => name).join(", ")}.` : "";
  };

  const showPlot = () => {
    const now = one.complete(point)[axis];
    const at = (value) => along(one, point, figure, axis, value);
    const values = one.offered({ ...point, [axis]: now }, axis), counted = values.map(at);
    const names = Object.keys(one.spec.series || { [data.figures[figure]]: 0 });
    const kept = values.map((value, at) => [value, counted[at]]).filter(([, row]) => row);
    const curves = names.map((name, n) => ({ name, colour: one.spec.series ? COLOURS[n] : "--multiplication",
      points: kept.map(([value, row]) => [Number(value), Number(row[n])]) }));
    const drawn = kept.length > 1 && kept.some(([, row]) => row.some((y) => y > 0n));
    frame.hidden = !drawn;
    const twice = at(2n * now), here = at(now);
    const sum = (row) => row.reduce((a, b) => a + b, 0n);
    const growth = twice && here && sum(here) ? ["Doubling ", ...letterNodes(axis), ` multiplies the ${data.figures[figure]} by ${(Number((sum(twice) * 1000n) / sum(here)) / 1000).toFixed(2)}. `] : [];
    says.replaceChildren(...growth, one.spec.series && drawn ? crossing(one, point, figure, axis, kept) : "");
    if (drawn) plot(frame, curves, Number(now), `${data.figures[figure]} against ${axis}, from ${grouped(kept[0][0])} to ${grouped(kept.at(-1)[0])}, both on logarithmic scales. ${says.textContent}`);
  };
  // --- the address: what the reader chose, and nothing before a choice was made

  const written = () => [`of-${one.spec.name}`, ...Object.entries(point).map(([name, value]) => `${name}-${typeof value === "boolean" ? +value : value}`), `figure-${figure}`, `axis-${axis}`].join(".");
  const address = () => { const url = new URL(location.href); url.searchParams.set(key, written()); return url; };
  const remember = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { try { history.replaceState(history.state, "", address()); } catch { /* a page that may not */ } }, 250);
  };
  const restore = () => {
    const asked = new URLSearchParams(location.search).get(key);
    choose(0, 0);
    if (!asked) return;
    const texts = Object.fromEntries(asked.split(".").map((part) => part.split("-")));
    try {
      const number = data.functions.findIndex((spec) => spec.name === texts.of);
      if (number < 0) throw new RangeError(`there is no ${texts.of} here`);
      choose(number, 0);
      const wanted = {};
      for (const about of one.spec.letters)
        if (texts[about.letter] !== undefined || !about.default) wanted[about.letter] = typed(texts[about.letter] || "", about.argument);
      for (const flag in one.spec.flags) wanted[flag] = texts[flag] === undefined ? point[flag] : texts[flag] === "1";
      const refused = one.problem(wanted);
      if (refused) throw new RangeError(refused);
      point = wanted;
      if (texts.figure in data.figures) figure = texts.figure;
      if (one.spec.letters.some(({ letter }) => letter === texts.axis)) axis = texts.axis;
      fill();
      update();
    } catch (problem) { note.textContent = `The address asks for an impossible setting: ${problem.message}.`; }
  };
  const copy = make("button", { type: "button", name: "copy", onclick: async () => {
    const url = address();
    url.hash = key;
    try { await navigator.clipboard.writeText(url.href); note.textContent = "The link is copied."; }
    catch { history.replaceState(history.state, "", url); note.textContent = "The address of this page now holds this setting; copy it from there."; }
  } }, "Copy a link to this setting");

  const inside = make("div", { class: "lab-inside" },
    ...(data.functions.length > 1 ? [labelled("layer", choice)] : []), labelled("begin with", preset), controls, results, spoken, table, without,
    labelled("plot against", against), frame, says, make("p", { class: "lab-foot" }, copy), note);
  root.append(inside);
  restore();
  inside.addEventListener("input", remember);
  inside.addEventListener("change", remember);
  new ResizeObserver(() => showPlot()).observe(root);
  root.querySelector(".lab-fallback").hidden = true;
};

// the tests run this file without a page
if (typeof document === "undefined") globalThis.lab = { engine, typed, along, crossing, human };
else for (const root of document.querySelectorAll(".lab")) {
  try {
    build(root);
    root.dataset.state = "ready";
  } catch (problem) {
    root.dataset.state = "broken";
    root.querySelector(".lab-inside")?.remove();
    root.prepend(make("p", { class: "lab-error", role: "alert" }, `This lab shows no numbers, because they would be wrong: ${problem.message}.`));
  }
}
})();
