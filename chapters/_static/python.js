/* Buttons that run Python in the page. What they start is fetched at the first press, and not before. */
(() => {
"use strict";
const me = document.currentScript, root = new URL("../python/", me.src).href, page = document.documentElement;
page.dataset.cells = me.dataset.cells;
const why = location.protocol === "file:"
  ? "This page was opened as a file, and a browser runs Python only in pages that come from a server. With <code>make serve</code> you have one."
  : globalThis.WebAssembly && globalThis.Worker ? "" : "Your browser has no WebAssembly, which Python in a page needs.";

/* The reader's answers stay in the reader's browser. */
const KEY = "counting-flops-answers";
const stored = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; } };
const remember = (exercise, texts, right) => {
  const answers = stored();
  answers[exercise] = { texts, right };
  try { localStorage.setItem(KEY, JSON.stringify(answers)); } catch { /* it is forgotten, then */ }
};

const sentence = (box) => { box.className = "answer"; box.innerHTML = `<p>${why}</p>`; };
const press = (place, act) => import(`${root}runner.js`).then(act, () => { place.textContent = "Python is not there: its files could not be fetched."; });

const answers = stored(), boxes = document.querySelectorAll("form.answer");
boxes.forEach((box) => {
  if (why) return sentence(box);
  const { texts, right } = Object(answers[box.dataset.exercise]), place = box.querySelector("output");
  [...box.elements].filter((field) => field.name === "answer").forEach((field, at) => {
    if (typeof texts?.[at] === "string") field.value = texts[at];
  });
  if (right === true) box.dataset.right = "";
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    press(place, (runner) => runner.check(box, (...what) => { remember(...what); box.toggleAttribute("data-right", what[2]); }));
  });
  box.querySelector(".hint-button").addEventListener("click", () => press(place, (runner) => runner.hint(box)));
});

const inputs = document.querySelectorAll(".cell_input");
inputs.forEach((frame, at) => {
  if (why) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "run";
  button.textContent = "Run";
  button.title = "Run this cell here, and change it";
  button.setAttribute("aria-label", `Run cell ${at + 1}`);
  button.addEventListener("click", () => press(button, (runner) => runner.open(frame, at)));
  frame.append(button);
});
if (why && inputs.length && !boxes.length) {
  const note = document.createElement("p");
  document.querySelector("article").append(note);
  sentence(note);
}
})();
