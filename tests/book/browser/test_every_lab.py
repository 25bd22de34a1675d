"""The labs, driven with the keyboard alone: what they show is what Python counts, digit by digit."""

import re

import pytest

from conftest import PAGES
from flopsbook.labs.crossing import BOTH
from flopsbook.labs.gradients import backward_of
from flopsbook.labs.spec import FIGURES, Letters, points
from flopslib import count, linear, registered
from flopslib.models.model_list import catalogue

BACK = backward_of(linear)
COSTS = {**registered(), BOTH.name: BOTH, BACK.name: BACK}
LABS = [
    (path.relative_to(PAGES).as_posix(), name)
    for path in sorted((PAGES / "chapters").glob("*.html"))
    for name in re.findall(r'<div class="lab" data-lab="(\w+)"', path.read_text())
]
# the one that has every function comes last
LABS.sort(key=lambda lab: lab[1] == "cost_table")
every_lab = pytest.mark.parametrize(("path", "name"), LABS, ids=[name for _, name in LABS])


class Lab:
    """A lab of a page, as a reader finds it who has a keyboard and no mouse."""

    def __init__(self, page, name):
        self.keys = page.keyboard
        self.root = page.locator(f"#lab-{name}")
        self.root.and_(page.locator("[data-state]")).wait_for()
        self.options = self.root.locator("select[name=function] option").count() or 1

    def state(self):
        return self.root.get_attribute("data-state")

    def press(self, name, *keys):
        self.root.locator(f"[name='{name}']").focus()
        for key in keys:
            self.keys.press(key)

    def field(self, letter):
        return self.root.locator(f"input[name='{letter}']")

    def write(self, letter, value):
        """Type a size; return what the lab has against it."""
        usual = self.root.locator(f"input[name='{letter}-usual']")
        if usual.count() and usual.is_checked():
            self.press(f"{letter}-usual", "Space")
        self.press(letter, "Control+a")
        first, rest = str(value)[0], str(value)[1:]
        self.keys.press(first)
        self.keys.insert_text(rest)  # at once: the lab answers to every key
        self.keys.press("Tab")
        return self.root.locator(f"[data-error='{letter}']").inner_text()

    def take(self, cost, point):
        """Write a point: some sizes are refused until others, which they divide, are there."""
        for flag in cost.major:
            if self.field(flag).is_checked() != point[flag]:
                self.press(flag, "Space")
        sizes = waiting = [letter for letter in point if letter not in cost.major]
        for turn in range(2 * len(sizes)):
            if turn == len(sizes):  # those that are left wait for each other
                for letter in 2 * waiting:
                    self.write(letter, 1)
            waiting = [letter for letter in waiting if self.write(letter, point[letter])]
            if not waiting:
                return
        raise AssertionError(f"refused: {waiting}")

    def sizes(self, cost):
        """Read the point that the lab stands at."""
        letters = Letters(cost).names
        sizes = {
            letter: int(self.field(letter).input_value().replace(",", "")) for letter in letters
        }
        return sizes | {flag: self.field(flag).is_checked() for flag in cost.major}

    def figures(self):
        read = {name: self.root.locator(f"[data-output='{name}']") for name in FIGURES}
        return {name: int(shown.inner_text().replace(",", "")) for name, shown in read.items()}


def counted(cost, point):
    derivation = cost.function(**Letters(cost).arguments(point))
    return {name: getattr(derivation, name) for name in FIGURES}


def full_points(cost):
    """Make up points that leave no size to its default."""
    letters = Letters(cost).names.keys() | cost.major.keys()
    return [point for point in points(cost, 50, "keyboard") if point.keys() == letters]


def specs(page, name):
    script = page.locator(f"#lab-{name} script").evaluate("part => JSON.parse(part.textContent)")
    return script["functions"]


@pytest.fixture(scope="module")
def typed():
    """The functions whose sizes were typed in one lab; the next one has the same script."""
    return set()


@every_lab
def test_a_lab_shows_what_python_counts(reader, typed, path, name):
    page = reader.open(path)
    lab = Lab(page, name)
    for at, spec in enumerate(specs(page, name)):
        if at:
            lab.press("function", "ArrowDown")
        cost = COSTS[spec["name"]]
        assert lab.figures() == counted(cost, lab.sizes(cost))
        # a preset, a step of each slider, and sizes that nobody has
        lab.press("preset", "End", "ArrowUp")
        assert lab.figures() == counted(cost, lab.sizes(cost))
        for letter in Letters(cost).names:
            if lab.root.locator(f"[name='{letter}-slider']").is_enabled():
                lab.press(f"{letter}-slider", "ArrowRight", "ArrowRight", "ArrowLeft")
        assert lab.figures() == counted(cost, lab.sizes(cost))
        if spec["name"] in typed:
            continue
        typed.add(spec["name"])
        point = max(full_points(cost), key=lambda point: counted(cost, point)["macs"])
        lab.take(cost, point)
        assert lab.sizes(cost) == point
        assert lab.figures() == counted(cost, point)
        assert max(counted(cost, point).values()) > 2**53
    assert reader.complaints == []


def test_a_lab_says_why_it_refuses(reader):
    page = reader.open("chapters/linear.html")
    lab = Lab(page, "linear")
    before = lab.figures()
    for refused in ("0", "many", "-3"):
        assert "must be a positive integer" in lab.write("I", refused)
        assert lab.figures() == before
    assert lab.write("I", "1,000") == ""


def test_the_address_keeps_what_a_reader_chose(reader):
    page = reader.open("chapters/linear.html")
    lab = Lab(page, "linear")
    assert "?" not in page.url
    lab.take(COSTS["linear"], {"I": 12288, "O": 49152, "B": 300 * 10**9, "bias": False})
    figures = lab.figures()
    page.wait_for_url("**/linear.html?lab-linear=*")
    page.wait_for_timeout(300)
    page.reload()
    assert Lab(page, "linear").figures() == figures
    assert figures["macs"] == 12288 * 49152 * 300 * 10**9


@every_lab
def test_a_broken_formula_shows_no_number(reader, path, name):
    text = (PAGES / path).read_text()
    start = text.index(f'data-lab="{name}"')
    broken = text[:start] + re.sub(r"\b2n\*", "3n*", text[start:], count=1)
    assert broken != text
    reader.page.route(f"**/{path}", lambda route: route.fulfill(body=broken))
    try:
        lab = Lab(reader.open(path), name)
        assert lab.state() == "broken"
        assert lab.root.locator("[data-output]").count() == 0
        assert "would be wrong" in lab.root.locator("[role=alert]").inner_text()
    finally:
        reader.page.unroute(f"**/{path}")


@pytest.mark.parametrize("width", [1280, 390])
@every_lab
def test_the_page_keeps_room_for_the_lab(reader, path, name, width):
    def height(state):
        lab = reader.open(path, width=width).locator(f"#lab-{name}{state}")
        return lab.evaluate("lab => lab.getBoundingClientRect().height")

    reader.page.route("**/lab.js*", lambda route: route.fulfill(body=""))
    before = height(":not([data-state])")
    reader.page.unroute("**/lab.js*")
    assert before == pytest.approx(height("[data-state=ready]"), abs=100)


def test_the_explorer_shows_what_python_counts(reader):
    page = reader.open("chapters/explorer.html")
    root = page.locator("#explorer[data-state=ready]")
    root.wait_for()
    models = root.locator("select[name=model]")
    offered = models.locator("option").evaluate_all("all => all.map(one => one.value)")
    assert sorted(offered) == sorted(catalogue())
    models.focus()
    page.keyboard.press("Home")
    for name in offered:
        assert models.input_value() == name
        entry = catalogue()[name]
        shown = root.locator("[data-output=macs]").inner_text()
        assert int(shown.replace(",", "")) == count(entry.build(), entry.input_shape).macs
        models.focus()
        page.keyboard.press("ArrowDown")
    root.locator(".explorer-parts button").first.focus()
    page.keyboard.press("Enter")
    assert root.locator("nav li").count() == 2
    page.keyboard.press("Escape")
    assert root.locator("nav li").count() == 1
    assert reader.complaints == []


@pytest.mark.parametrize(
    ("way", "tints"),
    [
        ("h.0", {"attention": "multiplication", "mlp": "ffn"}),
        ("h.0.attention.attn", {"q_proj": "projection", "attend": "square"}),
        ("h.0.mlp", {"c_fc": "ffn", "c_proj": "ffn"}),
    ],
)
def test_the_explorer_has_the_colours_of_the_figures(reader, way, tints):
    page = reader.open(f"chapters/explorer.html?explorer=gpt2_small.{way}")
    root = page.locator("#explorer[data-state=ready]")
    root.wait_for()
    for part, tint in tints.items():
        bar = root.locator(f"li[data-part='{part}'] .explorer-bar")
        assert f"var(--{tint}-tint)" in bar.get_attribute("style")
