"""A reader's browser, which reaches the book's own server and nobody else."""

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import axe_playwright_python

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# beside what axe tries by itself, Lighthouse wants a control to be named by what is written on it
RULES = {"label-content-name-mismatch": {"enabled": True}}
WIDTHS = (1280, 390)
THEMES = ("light", "dark")

# How far the text moves while a page loads, as the browser measures it.
WATCH = """
window.moved = 0;
new PerformanceObserver(list => {
  for (const shift of list.getEntries()) window.moved += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""
#: A tenth passes for good; a line that breaks elsewhere when a font arrives is less than this.
MOST_MOVED = 0.02

# Everything that folds is unfolded, and nothing moves.
UNFOLD = """() => {
  const still = document.createElement("style");
  still.textContent = "* { animation: none !important; transition: none !important; }";
  document.head.append(still);
  document.querySelectorAll("details").forEach(part => { part.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach(part => {
    part.classList.remove("toggle-hidden");
  });
}"""

# What stands left of its frame is out of reach: one can only scroll to the right.
CUT = """() => [...document.querySelectorAll("div.math > .katex-display > .katex")].filter(part =>
  part.getBoundingClientRect().left < part.closest("div.math").getBoundingClientRect().left - 1 ||
  [...part.querySelectorAll(".base")].some(base => base.getBoundingClientRect().left <
    part.closest("div.math").getBoundingClientRect().left - 1)
).map(part => part.querySelector("annotation").textContent.slice(0, 60))"""

# A page has thousands of letters of code and of formulas that are all alike, and axe looks at each.
# So a letter of code becomes plain, and a formula an empty box of its size, if it looks like one
# before it.
THIN_OUT = """() => {
  const seen = new Set();
  const isNew = looks => looks.filter(look => !seen.has(look) && seen.add(look)).length > 0;
  for (const part of document.querySelectorAll(".highlight span, .sig :is(em, span), code span")) {
    const place = part.closest("pre, code, dt").className;
    if (!isNew([`${place} ${part.className}`])) part.replaceWith(...part.childNodes);
  }
  document.body.normalize();
  for (const formula of document.querySelectorAll(".math")) {
    const place = formula.parentElement.tagName;
    const coloured = [...formula.querySelectorAll("[style*=color]")];
    const looks = [...coloured, formula].map(part => place + part.style.color);
    if (isNew(looks)) continue;
    const { width, height } = formula.firstElementChild.getBoundingClientRect();
    const box = document.createElement("span");
    box.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px`;
    formula.replaceChildren(box);
  }
}"""

# A new width is laid out, and then the frames that scroll are told.
SETTLE = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

# Of a text in the colour of its ground axe says that it may be meant; here it never is.
RUN = """async (options) => {
  const { violations, incomplete } = await axe.run(document, options);
  const unseen = incomplete.filter(rule => rule.id === "color-contrast").map(rule => ({
    ...rule,
    nodes: rule.nodes.filter(node => node.any.some(check => check.data?.messageKey === "equalRatio")),
  }));
  return [...violations, ...unseen].flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.target} ${node.html.slice(0, 120)}`
  ));
}"""


class Reader:
    """A page of a browser, and what there is to complain about in it."""

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.complaints = []
        page.add_init_script(WATCH)
        page.context.route("**/*", self._pass_or_refuse)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"a script failed: {error}"))
        page.on("response", self._answer)

    def _pass_or_refuse(self, route):
        url = route.request.url
        if url.startswith((self.address, "data:")):
            route.fallback()
        else:
            self.complaints.append(f"the page asks {url}")
            route.abort()

    def _hear(self, message):
        # that a page is missing is no fault of the page shown in its place
        own = message.location.get("url") == self.page.url
        if message.type in ("error", "warning") and not (own and "404" in message.text):
            self.complaints.append(f"the console says: {message.text}")

    def _answer(self, response):
        if response.status >= 400 and not response.request.is_navigation_request():
            self.complaints.append(f"{response.status} for {response.url}")

    def open(self, path, theme="light", width=1280):
        """Open a page, as a reader who has chosen a theme before."""
        self.complaints.clear()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto(self.address + path)
        self.wear(theme)
        return self.page

    def wear(self, theme):
        self.page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)

    def inspect(self, path):
        """Open a page and complain about it at both widths and in both themes."""
        page = self.open(path, width=min(WIDTHS))
        page.evaluate(SETTLE)
        moved = page.evaluate("window.moved")
        if moved > MOST_MOVED:
            self.complaints.append(f"while it loads, the page moves by {moved:.3f}")
        page.evaluate(UNFOLD)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if wide > 0:
                self.complaints.append(f"at {width} the page is {wide} pixels too wide")
            self.complaints += [f"at {width} a formula is cut: {cut}" for cut in page.evaluate(CUT)]
        page.evaluate(THIN_OUT)
        page.evaluate(AXE)
        for width in reversed(WIDTHS):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(SETTLE)
            for theme in THEMES:
                self.wear(theme)
                # contrast takes the longest by far, and does not depend on the width
                measured = (width, theme) in ((1280, "light"), (390, "dark"))
                rules = {**RULES, "color-contrast": {"enabled": measured}}
                options = {"resultTypes": ["violations", "incomplete"], "preload": False}
                options["rules"] = rules
                for violation in page.evaluate(RUN, options):
                    self.complaints.append(f"{width}, {theme}: {violation}")
        return self.complaints


class _Handler(SimpleHTTPRequestHandler):
    """Answer as a web host does, which shows the book's own page for a missing one."""

    def log_message(self, format, *args):
        pass

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory) / "404.html"
        if code == 404 and page.exists():
            self.send_response(404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.read_bytes())
        else:
            super().send_error(code, message, explain)


@contextmanager
def served(folder):
    """Serve a folder on this machine alone; give the address."""
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
