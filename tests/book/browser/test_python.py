"""Python in the page: answers are checked, cells run, and nobody else is asked."""

import json

import pytest
from python import EXERCISES, ask, differing, right, until
from reader import AXE, RULES, RUN, THEMES, served

from conftest import PAGES
from flopsbook.exercises import kinds
from flopsbook.exercises.typed import check_typed

CHAPTER = "chapters/linear.html"
SAID = "place => place.querySelector('.admonition')?.innerText"
STATUS = "status => /Done|failed|no \\w+, so|stays|next press/.test(status.textContent) && status.textContent"


@pytest.fixture(scope="module")
def page(reader):
    """A chapter in which Python has been loaded by a press."""
    page = reader.open(CHAPTER)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    assert page.locator("form.answer").count() == 6
    assert not any("python/" in url for url in requests)
    press_check(page, "linear-1", right("linear-1"))
    yield page
    page.evaluate("localStorage.clear()")


def press_check(page, key, texts):
    box = page.locator(f"form[data-exercise={key}]")
    for field, text in zip(box.locator("[name=answer]").all(), texts, strict=True):
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)
    box.locator("[type=submit]").click()
    place = box.locator("output")
    place.evaluate("place => { place.dataset.asked = '1'; }")
    said = until(page, SAID, place.element_handle())
    return " ".join(said.split())


def cell_of(frame):
    return frame.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' cell ')][1]")


def run(page, at, source=None):
    """Run a cell that is shown, changed if that is asked for; return its status and its output."""
    frame = page.locator(".cell_input").nth(at)
    if frame.locator(".editor").count() == 0:
        frame.locator(".run").click()
        frame.locator(".editor").wait_for()
        if source is not None:
            until(page, STATUS, frame.locator("[role=status]").element_handle())
    if source is not None:
        frame.locator("[role=status]").evaluate("status => { status.textContent = ''; }")
        frame.locator("textarea").fill(source)
        frame.locator("textarea").press("Control+Enter")
    status = until(page, STATUS, frame.locator("[role=status]").element_handle())
    return status, cell_of(frame).locator(".fresh").inner_text()


# --- answers ---------------------------------------------------------------------------


def test_a_press_on_check_says_what_the_checker_says(page, reader):
    for key, texts in (("linear-1", right("linear-1")), ("linear-1", ["100,352"])):
        verdict = check_typed(key, texts).message
        page.locator(f"form[data-exercise={key}] output").evaluate(
            "place => place.replaceChildren()"
        )
        said = press_check(page, key, texts)
        assert said == " ".join(verdict.replace("`", "").replace(". ", " ", 1).split())
    place = page.locator("form[data-exercise=linear-1] output")
    assert place.get_attribute("aria-live") == "polite"
    assert reader.complaints == []


KINDS = [k for k in vars(kinds).values() if isinstance(k, type) and issubclass(k, kinds.Kind)]
SAMPLE = {
    kind.__name__: next(
        key for key, e in EXERCISES.items() if any(type(q.kind) is kind for q in e.questions)
    )
    for kind in KINDS
    if kind is not kinds.Kind
}


@pytest.mark.parametrize("kind", SAMPLE)
def test_the_verdicts_of_a_kind_are_those_of_cpython(page, kind):
    assert differing(page, SAMPLE[kind]) == []


def test_a_second_check_is_quick(page):
    ask(page, "check", exercise="linear-1", texts=["1"])
    seconds = page.evaluate(
        """async () => {
          const { ask } = await import(new URL("../python/runner.js", location.href).href);
          const times = [];
          for (let turn = 0; turn < 9; turn++) {
            const start = performance.now();
            await ask("check", { exercise: "linear-1", texts: [`${turn}`] });
            times.push(performance.now() - start);
          }
          return Math.min(...times) / 1000;
        }"""
    )
    assert seconds < 0.05


def test_hints_come_one_after_the_other(page):
    box = page.locator("form[data-exercise=linear-1]")
    seen = []
    for number in (1, 2):
        box.locator(".hint-button").click()
        seen.append(
            until(
                page,
                f"place => place.innerText.startsWith('Hint {number}') && place.innerText",
                box.locator("output").element_handle(),
            )
        )
    assert len(set(seen)) == 2


# --- cells -----------------------------------------------------------------------------


def test_a_cell_runs_and_changes(page):
    status, shown = run(page, 0)
    assert status.startswith("Done")
    assert "y = [15, 34]" in shown
    assert "OpCount(multiplications=6, additions=6, macs=6)" in shown
    status, shown = run(page, 1, "run_and_count(linear, 4, 2, bias=False)")
    assert shown == "OpCount(multiplications=8, additions=6, macs=8)"


def test_an_error_names_the_line_and_python_goes_on(page):
    status, shown = run(page, 1, "x = 1\nx / 0")
    assert status.startswith("It failed")
    assert 'File "<cell' in shown
    assert "x / 0" in shown
    assert "ZeroDivisionError" in shown
    assert "in_page" not in shown
    assert run(page, 1, "x + 1")[1] == "2"


def test_formulas_and_tables_are_typeset(page):
    run(
        page,
        1,
        "from flopsbook.tables import comparison\ncomparison(['a', 'b'], [['$x^2$', 6000]])",
    )
    fresh = page.locator(".fresh").nth(1)
    assert fresh.locator("th").all_inner_texts() == ["a", "b"]
    assert fresh.locator("td .katex").count() == 1
    assert fresh.locator("td").nth(1).inner_text() == "6,000"


@pytest.mark.parametrize(
    "source",
    [
        "print({0!r})",
        "from IPython.display import HTML\nHTML({0!r})",
        "from IPython.display import Markdown\nMarkdown({0!r})",
        "from IPython.display import Markdown\nMarkdown('| a |\\n| --- |\\n| ' + {0!r} + ' |')",
        "from IPython.display import Latex\nLatex('$' + {0!r} + '$')",
        "from flopsbook.exercises.verdict import Verdict\nVerdict(True, {0!r})",
        "raise ValueError({0!r})",
    ],
)
def test_nothing_that_a_cell_shows_acts(page, reader, source):
    reader.complaints.clear()
    bad = (
        "<b>text</b><img src=x onerror='window.acted=1'><script>window.acted=1</script>"
        "<a href='javascript:window.acted=1' onclick='window.acted=1'>a</a><style>*{}</style>"
        "<iframe srcdoc='x'></iframe><form action='/x'><input></form>"
        r"\href{javascript:window.acted=1}{x}\includegraphics{x}"
    )
    run(page, 1, source.format(bad))
    fresh = page.locator(".fresh").nth(1)
    assert (
        fresh.locator("img, script, a, style, iframe, form, input, svg:not(.katex svg)").count()
        == 0
    )
    assert page.evaluate("window.acted") is None
    assert reader.complaints == []


def test_a_figure_stays_as_it_was_built(reader, page):
    status, _ = run(
        page, 1, "from flopsbook import figures\nfigures.linear_grid(in_features=3, out_features=2)"
    )
    assert (
        status
        == "Python in a page has no matplotlib, so this is the output of the book as it was built."
    )
    assert cell_of(page.locator(".cell_input").nth(1)).locator(".cell_output").is_visible()


# --- safety -----------------------------------------------------------------------------

ELSEWHERE = "https://example.com/"
ASKS = [
    f"from pyodide.http import open_url\nopen_url('{ELSEWHERE}')",
    f"from pyodide.code import run_js\nrun_js(\"fetch('{ELSEWHERE}')\")",
    f"import urllib.request\nurllib.request.urlopen('{ELSEWHERE}')",
    f"from js import fetch\nfetch('{ELSEWHERE}')",
    "import socket\nsocket.create_connection(('example.com', 80))",
    f"import pyodide_js\npyodide_js.loadPackage('{ELSEWHERE}x.whl')\nimport js\njs.XMLHttpRequest",
]


@pytest.mark.parametrize("source", ASKS)
def test_a_cell_that_asks_another_host_gets_an_error(page, reader, source):
    reader.complaints.clear()
    status, _ = run(page, 1, source)
    assert status.startswith("It failed")
    page.wait_for_timeout(100)
    assert not [complaint for complaint in reader.complaints if "asks" in complaint]


ESCAPES = """async (elsewhere) => {
  const { Worker, Blob, URL } = document.querySelector("iframe[title=Python]").contentWindow;
  const code = `
    const tries = {
      fetch: () => fetch("${elsewhere}"),
      beacon: () => fetch("${elsewhere}", { method: "POST", body: "x", mode: "no-cors", keepalive: true }),
      request: () => { const r = new XMLHttpRequest(); r.open("GET", "${elsewhere}", false); r.send(); },
      script: () => importScripts("${elsewhere}x.js"),
      module: () => import("${elsewhere}x.js"),
      data: () => import("data:text/javascript,1"),
      socket: () => new Promise((done, failed) => {
        const s = new WebSocket("wss://example.com/"); s.onerror = failed; s.onopen = done; }),
      events: () => new Promise((done, failed) => {
        const s = new EventSource("${elsewhere}"); s.onerror = failed; s.onopen = done; }),
      font: () => new FontFace("x", "url(${elsewhere}x.woff2)").load(),
      evaluation: () => new Function("return 1")(),
    };
    (async () => {
      const through = [];
      for (const [name, attempt] of Object.entries(tries))
        try { await attempt(); through.push(name); } catch { /* as it should */ }
      postMessage(through);
    })();`;
  const worker = new Worker(URL.createObjectURL(new Blob([code])));
  return new Promise((done) => { worker.onmessage = ({ data }) => done(data); });
}"""


def test_no_script_of_the_worker_reaches_another_host(page, reader):
    reader.complaints.clear()
    assert page.evaluate(ESCAPES, ELSEWHERE) == []
    assert not [complaint for complaint in reader.complaints if "asks" in complaint]


def start_and_stop(page, source):
    frame = page.locator(".cell_input").nth(1)
    frame.locator("textarea").fill(source)
    frame.locator("textarea").press("Control+Enter")
    until(
        page,
        "status => status.textContent === 'Python is at work …'",
        frame.locator("[role=status]").element_handle(),
    )
    page.wait_for_timeout(300)
    frame.locator("button", has_text="Stop").click()
    return until(page, STATUS, frame.locator("[role=status]").element_handle(), seconds=1)


def test_memory_without_end_is_an_error_and_python_goes_on(page):
    _, shown = run(page, 1, "kept = 0\nx = []\nwhile True: x.append(bytearray(10**8))")
    assert "MemoryError" in shown
    assert run(page, 1, "kept + 1")[1] == "1"


def test_a_million_lines_are_cut(page):
    status, shown = run(page, 1, "for n in range(10**6): print('line', n)")
    assert status.startswith("Done")
    assert len(shown) < 200_000
    assert "more was printed than a page shows" in shown


def test_stop_ends_a_loop_and_the_next_press_starts_python_afresh(page):
    said = start_and_stop(page, "while True: pass")
    assert (
        said
        == "You stopped Python, and what it had computed is lost. The next press starts it afresh."
    )
    assert run(page, 1, "1 + 1")[1] == "2"


def test_a_page_that_was_left_runs_python_again(page, reader):
    page.goto(f"{reader.address}chapters/progress.html")
    assert page.locator("li[data-right]").count() >= 0
    page.go_back()
    assert run(page, 1, "1 + 1")[1] == "2"


# --- what stays in the browser ------------------------------------------------------------


def test_answers_are_kept_listed_moved_and_cleared(reader, tmp_path):
    page = reader.open(CHAPTER)
    page.evaluate(
        "answers => localStorage.setItem('counting-flops-answers', answers)",
        json.dumps({"linear-1": {"texts": ["200704"], "right": True}}),
    )
    page.reload()
    box = page.locator("form[data-exercise=linear-1]")
    assert box.locator("input").input_value() == "200704"
    assert box.get_attribute("data-right") is not None
    page.goto(f"{reader.address}chapters/progress.html")
    assert page.locator("li[data-right]").count() == 1
    assert page.locator(".answers-kept li").count() == len(EXERCISES)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / "answers.json"
    download.value.save_as(file)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Clear").click()
    assert page.locator("li[data-right]").count() == 0
    page.locator("input[type=file]").set_input_files(file)
    until(page, "document.querySelectorAll('li[data-right]').length === 1")
    for wrong in ("no json", "[]", '{"answers": 3}'):
        (tmp_path / "wrong.json").write_text(wrong)
        page.locator("input[type=file]").set_input_files(tmp_path / "wrong.json")
        page.wait_for_timeout(100)
        assert page.locator("li[data-right]").count() == 1
    strange = {"linear-1": {"texts": [7], "right": True}, "nosuch-1": {"texts": [], "right": True}}
    (tmp_path / "strange.json").write_text(json.dumps({"answers": strange}))
    page.locator("input[type=file]").set_input_files(tmp_path / "strange.json")
    until(page, "document.querySelector('[role=status]').textContent.includes('to 0 exercises')")
    page.evaluate("localStorage.clear()")
    assert reader.complaints == []


# --- where there is no Python --------------------------------------------------------------


def test_a_page_opened_as_a_file_says_why(browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto((PAGES / CHAPTER).as_uri())
    assert page.locator(".run, form.answer button").count() == 0
    assert "opened as a file" in page.locator(".answer").first.inner_text()
    context.close()


def test_a_browser_without_webassembly_says_so(browser, address):
    context = browser.new_context()
    context.add_init_script("delete globalThis.WebAssembly")
    page = context.new_page()
    page.goto(address + CHAPTER)
    assert page.locator(".run, form.answer button").count() == 0
    assert "no WebAssembly" in page.locator(".answer").first.inner_text()
    context.close()


def test_without_scripts_the_page_has_no_box(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + CHAPTER)
    assert page.locator(".run").count() == 0
    assert not page.locator("form.answer").first.is_visible()
    context.close()


def test_a_host_without_the_files_is_told(browser, tmp_path):
    (tmp_path / "book").symlink_to(PAGES)
    with served(tmp_path) as address:
        page = browser.new_context().new_page()
        page.route("**/runner.js", lambda route: route.abort())
        page.goto(f"{address}book/{CHAPTER}")
        page.locator("form.answer [type=submit]").first.click()
        until(
            page,
            "document.querySelector('form.answer output').textContent.includes('could not be fetched')",
        )
        page.context.close()


# --- for everybody --------------------------------------------------------------------------


def test_axe_finds_nothing_with_boxes_and_cells_open(reader):
    page = reader.open(CHAPTER, width=390)
    press_check(page, "linear-1", ["7"])
    run(page, 0)
    run(page, 1, "1 / 0")
    page.evaluate(AXE)
    options = {"resultTypes": ["violations", "incomplete"], "preload": False, "rules": RULES}
    for theme in THEMES:
        reader.wear(theme)
        assert page.evaluate(RUN, options) == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.evaluate("localStorage.clear()")


def test_the_keyboard_leaves_an_editor(reader):
    page = reader.open(CHAPTER)
    frame = page.locator(".cell_input").nth(0)
    frame.locator(".run").focus()
    page.keyboard.press("Enter")
    frame.locator("textarea").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Run"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"
