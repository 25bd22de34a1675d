/* What the labs, the explorer and the calculators share: making an element, and writing a number. */
(() => {
"use strict";

const make = (tag, attributes = {}, ...children) => {
  const svg = ["svg", "path", "line", "circle", "text", "g"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};
const grouped = (value) => value.toLocaleString("en");
/* 14,630,806,093,824 is said "14.6 T": three digits, rounded half up, as the library's `short` does. */
const human = (value) => {
  if (value < 10000n) return grouped(value);
  for (const [letter, zeros] of [["k", 3n], ["M", 6n], ["G", 9n], ["T", 12n], ["P", 15n], ["E", 18n]])
    for (const decimals of [2n, 1n, 0n]) {
      const unit = 10n ** zeros, scaled = (2n * value * 10n ** decimals + unit) / (2n * unit);
      if (scaled < 1000n) return `${(Number(scaled) / Number(10n ** decimals)).toFixed(Number(decimals))}\u00a0${letter}`;
    }
  let power = BigInt(String(value).length - 3), digits = (2n * value + 10n ** power) / (2n * 10n ** power);
  if (digits === 1000n) { digits = 100n; power += 1n; }
  const raised = [...String(power + 2n)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  return `${String(digits)[0]}.${String(digits).slice(1)}·10${raised}`;
};
/* The short form of a long number, to stand beside it; nothing beside a short one. */
const beside = (value) => (value < 10000n ? "" : human(value));
const breakable = (digits) => digits.split(/(?<=,)/).flatMap((part) => [part, make("wbr")]);
const q = (a, b) => {
  if (a % b) throw new RangeError(`${b} does not divide ${a}`);
  return a / b;
};
const least = (a, b) => (a < b ? a : b);

globalThis.shared = { make, grouped, human, beside, breakable, q, least };
})();
