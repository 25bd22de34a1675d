/* The model explorer: choose a model, see where its operations are, click into its parts.
   All figures were counted when the book was built, and come as decimal texts. */
(() => {
"use strict";

const { make, grouped, human, beside } = shared;
const percent = (part, whole) => {
  const share = whole ? Number((part * 100000n) / whole) / 1000 : 0;
  return { share, written: part && share < 0.05 ? "<0.1 %" : `${share.toFixed(1)} %` };
};
const spelled = (run) => (run.times > 1 ? `${run.first} … ${run.last}` : run.first);

// the parts of a Transformer layer have the colours of the figures
const tintOf = (way) => {
  if (way.includes("mlp")) return "--ffn-tint";
  if (way.at(-1) === "attend") return "--square-tint";
  return /^(q|k|v|out)_proj$/.test(way.at(-1)) ? "--projection-tint" : "--multiplication-tint";
};

const build = (root) => {
  const data = JSON.parse(root.querySelector("script").textContent);
  const parts = data.parts.map(([layer, output, how, figures, runs]) => ({ layer, output, how,
    figures: Object.fromEntries(Object.keys(data.figures).map((name, at) => [name, BigInt(figures[at])])),
    runs: runs.map(([first, last, times, part]) => ({ first, last, times, part })) }));
  const labels = { macs: data.figures.macs, flops: "FLOPs", ...data.figures };
  const value = (part, name) => (name === "flops" ? 2n * part.figures.macs : part.figures[name]);

  let model, path = [], figure = "macs";
  const select = make("select", { id: "explorer-model", name: "model", onchange: () => open(select.value, []) },
    ...data.models.map(({ name, title }) => make("option", { value: name }, `${title} (${name})`)));
  const radios = make("div", { class: "explorer-figures", role: "radiogroup", "aria-label": "count" },
    ...Object.entries(labels).map(([name, label]) => make("label", {}, make("input", { type: "radio", name: "explorer-figure", value: name, checked: name === figure,
      onchange: () => { figure = name; show(); remember(); } }), ` ${label}`)));
  const crumbs = make("nav", { "aria-label": "where you are in the model" });
  const about = make("p", { class: "explorer-about", tabindex: -1, "data-output": "about" });
  const list = make("ol", { class: "explorer-parts" });
  const rest = make("p", { class: "explorer-rest" });
  const spoken = make("p", { class: "explorer-spoken", "aria-live": "polite", "data-output": "spoken" });

  const trail = () => path.reduce((so_far, name) => {
    const run = so_far.at(-1).part.runs.find(({ first }) => first === name);
    return run ? [...so_far, { name: spelled(run), part: parts[run.part], times: run.times }] : so_far;
  }, [{ name: model.title, part: parts[model.part], times: 1 }]);

  const show = (moved) => {
    const way = trail(), here = way.at(-1), whole = value(here.part, figure);
    crumbs.replaceChildren(make("ol", {}, ...way.map(({ name }, at) => make("li", {}, at === way.length - 1
      ? make("span", { "aria-current": "location" }, name)
      : make("button", { type: "button", onclick: () => go(path.slice(0, at)) }, name)))));
    const all = value(way[0].part, figure), alike = way.reduce((n, { times }) => n * BigInt(times), 1n);
    const of_all = way.length > 1 ? `, ${percent(whole, all).written} of the model` : "";
    const one_of = alike > 1n ? `, one of ${grouped(alike)} alike` : "";
    about.replaceChildren(make("span", { class: "explorer-human" }, beside(whole) && `${beside(whole)} = `), make("b", { "data-output": figure }, grouped(whole)), ` ${labels[figure]}${of_all}${one_of}. `, make("code", {}, here.part.layer),
      ` → ${here.part.output}${way.length === 1 ? `, from ${model.input}` : ""}`);
    const rows = here.part.runs.map((run) => ({ run, part: parts[run.part], sum: value(parts[run.part], figure) * BigInt(run.times) }));
    list.replaceChildren(...rows.filter(({ sum }) => sum).map(({ run, part, sum }) => {
      const { share, written } = percent(sum, whole);
      const inside = [make("span", { class: "explorer-name" }, spelled(run), make("small", {}, run.times > 1 ? `${run.times} alike, each ${grouped(value(part, figure))}` : part.layer)),
        make("span", { class: "explorer-sum" }, make("small", {}, beside(sum)), grouped(sum)), make("span", { class: "explorer-share" }, written),
        make("span", { class: "explorer-bar", style: `background: var(${tintOf([...path, run.first])}); width: ${share}%` })];
      return make("li", { "data-part": run.first }, part.runs.length
        ? make("button", { type: "button", onclick: () => go([...path, run.first]) }, ...inside)
        : make("div", {}, ...inside, make("small", { class: "explorer-how" }, part.how)));
    }));
    const none = rows.filter(({ sum }) => !sum).map(({ run }) => spelled(run));
    rest.textContent = none.length ? `No ${labels[figure]}: ${none.join(", ")}.` : "";
    if (moved) { about.focus({ preventScroll: true }); spoken.textContent = `${here.name}: ${about.textContent}`; }
  };

  const remember = () => {
    const url = new URL(location.href);
    url.searchParams.set("explorer", [model.name, ...path].join("."));
    try { history.replaceState(history.state, "", url); } catch { /* a page that may not */ }
  };
  const go = (to) => { path = to; show(true); remember(); };
  const open = (name, to) => { model = data.models.find((one) => one.name === name); select.value = name; go(to); };

  const inside = make("div", { class: "explorer-inside", onkeydown: (event) => {
    if (event.key === "Escape" && path.length) { event.preventDefault(); go(path.slice(0, -1)); }
  } }, make("p", { class: "explorer-choice" }, make("label", { for: select.id }, "model"), select), radios, crumbs, about, list, rest, spoken);
  const [asked, ...way] = (new URLSearchParams(location.search).get("explorer") || "").split(".");
  model = data.models.find(({ name }) => name === asked) || data.models.find(({ name }) => name === root.dataset.first) || data.models[0];
  if (model.name === asked) {
    path = way;
    path = way.slice(0, trail().length - 1);  // as far as there is such a way
  }
  select.value = model.name;
  show();
  root.prepend(inside);
};

for (const root of document.querySelectorAll(".explorer")) {
  build(root);
  root.dataset.state = "ready";
}
})();
