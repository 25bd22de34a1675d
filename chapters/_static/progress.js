/* The page of progress: ticks what was answered right, and moves the answers in and out of the browser. */
(() => {
"use strict";
const KEY = "counting-flops-answers";
const items = [...document.querySelectorAll(".answers-kept li")], bar = document.querySelector(".answers-bar");
const known = new Set(items.map((item) => item.dataset.exercise));
const stored = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; } };
const status = document.createElement("p");
status.setAttribute("role", "status");

const show = (note = "") => {
  const answers = stored();
  const right = items.filter((item) => item.toggleAttribute("data-right", answers[item.dataset.exercise]?.right === true));
  items.forEach((item) => {
    item.querySelector(".tick")?.remove();
    if (!item.hasAttribute("data-right")) return;
    const tick = document.createElement("span");
    tick.className = "tick";
    tick.textContent = " ✓ right";
    item.append(tick);
  });
  status.textContent = `${note}${right.length} of ${items.length} exercises are answered right.`;
};

/* A file may hold anything: answers of known exercises are taken from it, and nothing else. */
const isAnswer = (answer) => Array.isArray(answer?.texts) && typeof answer.right === "boolean" &&
  answer.texts.length < 20 && answer.texts.every((text) => typeof text === "string" && text.length <= 4000);
const imported = (text) => {
  let found;
  try { found = Object.entries(JSON.parse(text).answers); } catch { return null; }
  return Object.fromEntries(found.filter(([exercise, answer]) => known.has(exercise) && isAnswer(answer))
    .map(([exercise, { texts, right }]) => [exercise, { texts, right }]));
};

const button = (text, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
};
const chooser = Object.assign(document.createElement("input"), { type: "file", accept: ".json,application/json", hidden: true });
chooser.setAttribute("aria-label", "A file with answers");
chooser.addEventListener("change", async () => {
  const [file] = chooser.files;
  if (!file) return;
  const answers = file.size < 2e6 ? imported(await file.text()) : null;
  chooser.value = "";
  if (!answers) return show("That is no file that this page has exported. ");
  localStorage.setItem(KEY, JSON.stringify({ ...stored(), ...answers }));
  show(`Answers to ${Object.keys(answers).length} exercises were imported. `);
});

bar.append(
  button("Export", () => {
    const file = new Blob([JSON.stringify({ book: "Counting FLOPs", answers: stored() }, null, 1)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "counting-flops-answers.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }),
  button("Import", () => chooser.click()),
  button("Clear", () => {
    if (!confirm("Remove all your answers from this browser?")) return;
    localStorage.removeItem(KEY);
    show("All answers were removed. ");
  }),
  chooser, status,
);
show();
})();
