// A table, a formula or code that is wider than its frame scrolls inside it. Such a frame takes
// the focus, so that the arrow keys can scroll it, and has a name; one that does not scroll has
// neither, and costs no press of the tab key. While something is left on the right, the frame
// fades out there.

const KINDS = {
  "div.math": "Formula",
  "pre": "Code",
  ".pst-scrollable-table-container, .cell_output > .output": "Table",
};

const names = new Map();

function fade(frame) {
  frame.toggleAttribute("data-more", frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 1);
}

function name(frame) {
  fade(frame);
  if (!names.has(frame)) return;
  if (frame.scrollWidth > frame.clientWidth + 1) {
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", names.get(frame));
  } else if (frame.getAttribute("role") === "region") {
    frame.removeAttribute("tabindex");
    frame.removeAttribute("role");
    frame.removeAttribute("aria-label");
  }
}

addEventListener("load", () => {
  const resized = new ResizeObserver(changes => changes.forEach(({ target }) => name(target)));
  for (const [selector, kind] of Object.entries(KINDS)) {
    document.querySelectorAll(selector).forEach((frame, at) => {
      names.set(frame, `${kind} ${at + 1}, scrolls sideways`);
      resized.observe(frame);
    });
  }
  // these have a name of their own
  const named = [...document.querySelectorAll(".report, .lab-fallback, .lab-steps")];
  named.forEach(frame => resized.observe(frame));
  // a lab writes its steps anew
  const rewritten = new MutationObserver(() => named.forEach(fade));
  document.querySelectorAll(".lab-steps").forEach(frame =>
    rewritten.observe(frame, { childList: true, subtree: true, characterData: true }));
  const frames = [...names.keys(), ...named];
  frames.forEach(frame => frame.addEventListener("scroll", () => fade(frame), { passive: true }));
  document.fonts.ready.then(() => frames.forEach(name));
});

// Paper is light.

let worn;

addEventListener("beforeprint", () => {
  worn = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = worn;
});
