"""The calculators, driven with the keyboard alone: what they show is what Python counts."""

import re
from urllib.parse import quote

import pytest

from conftest import PAGES
from flopsbook.labs import (
    calculator,
    converter,
    image_lab,
    memory_lab,
    roofline_lab,
    vision_lab,
)

PLACES = {
    "converter": ("chapters/conventions.html", converter),
    "language_model": ("chapters/language_models.html", calculator),
    "image_network": ("chapters/convolutional_networks.html", lambda: image_lab("ResNet-18")),
    "vision_transformer": ("chapters/vision_transformer.html", vision_lab),
    "roofline": ("chapters/bytes.html", roofline_lab),
    "memory": ("chapters/memory.html", memory_lab),
}
#: A number that can be typed without changing another one.
TYPED = {"converter": "amount", "language_model": "prompt", "roofline": "batch", "memory": "batch"}
every_form = pytest.mark.parametrize("name", PLACES)
both_widths = pytest.mark.parametrize("width", [1280, 390])


@pytest.fixture(scope="module")
def forms():
    return {name: make() for name, (_, make) in PLACES.items()}


def opened(reader, name, width=1280):
    root = reader.open(PLACES[name][0], width=width).locator(f"#calculator-{name}")
    root.and_(root.page.locator("[data-state]")).wait_for()
    return root


def press(root, name, *keys):
    root.locator(f"[name='{name}']").focus()
    for key in keys:
        root.page.keyboard.press(key)


def write(root, name, value):
    press(root, name, "Control+a")
    root.page.keyboard.insert_text(str(value))
    root.page.keyboard.press("Tab")


def shown(root):
    cells = root.locator("td[data-exact]").evaluate_all(
        "all => all.map(cell => [cell.dataset.output, cell.dataset.exact,"
        " cell.querySelector('small')?.textContent])"
    )
    for _, exact, small in cells:
        assert small is None or small.replace(",", "") == exact
    return {name: int(exact) for name, exact, _ in cells if "/" not in exact}


def counted(form, point, root):
    values, found = form.count(point), shown(root)
    assert len(found) > 1
    assert found == {name: values[name] for name in found}


@both_widths
@every_form
def test_a_calculator_shows_what_python_counts(reader, forms, name, width):
    form, root = forms[name], opened(reader, name, width)
    first = next(iter(form.presets.values()))
    counted(form, first, root)
    wide = root.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    assert reader.complaints == []


@every_form
def test_every_preset_is_chosen_with_the_keyboard(reader, forms, name):
    form, root = forms[name], opened(reader, name)
    control = "preset" if form.pick else "network"
    press(root, control, "Home")
    points = list(form.presets.values())
    if not form.pick:
        points.sort(key=lambda point: point["network"])
    for point in points:
        counted(form, point, root)
        press(root, control, "ArrowDown")


@every_form
def test_the_address_keeps_the_setting(reader, name):
    root = opened(reader, name)
    if name in TYPED:
        write(root, TYPED[name], "4,000")
    else:
        press(root, "network", "End")
    before = shown(root)
    root.page.wait_for_url(f"**?calculator-{name}=*")
    root.page.reload()
    root = root.page.locator(f"#calculator-{name}")
    root.and_(root.page.locator("[data-state]")).wait_for()
    assert shown(root) == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("network-ResNet-18", "it says nothing about image"),
        (
            "network-ResNet-9~side-224 × 224 pixels",
            "network must be one of ResNet-18, .*got ResNet-9",
        ),
        ("nonsense", "it says nothing about network"),
    ],
)
def test_an_address_that_asks_for_nonsense_is_refused_in_words(reader, asked, said):
    root = opened(reader, "image_network")
    first = shown(root)
    root.page.goto(f"{root.page.url.partition('?')[0]}?calculator-image_network={quote(asked)}")
    root.and_(root.page.locator("[data-state]")).wait_for()
    assert re.search(said, root.locator("[data-output=error]").inner_text())
    assert shown(root) == first


def test_own_sizes_are_typed_and_refused_in_words(reader, forms):
    form, root = forms["language_model"], opened(reader, "language_model")
    point = dict(form.presets["LLaMA-7B"])
    for name, value in {"prompt": 4000, "answer": 99, "batch": 7}.items():
        write(root, name, f"{value:,}")
        point[name] = value
    press(root, "causal", "Space")
    counted(form, point | {"causal": True}, root)
    write(root, "heads", "33")
    assert "heads must divide the width" in root.locator("[data-output=error]").inner_text()
    assert shown(root) == {}
    write(root, "heads", "many")
    assert "whole number such as" in root.locator("[data-output=error]").inner_text()
    write(root, "heads", "32")
    counted(form, point | {"causal": True}, root)


def test_the_converter_says_whose_number_it_is(reader):
    root = opened(reader, "converter")
    write(root, "amount", "8.2 G")
    note = root.locator("[data-output=note]")
    assert "ResNet-50 costs in FLOPs: 8,178,368,512" in note.inner_text()
    write(root, "amount", "4,089,184,256")
    assert "ResNet-50 costs in MACs: 4,089,184,256" in note.inner_text()


@every_form
def test_a_broken_formula_shows_no_number(reader, name):
    path = PLACES[name][0]
    page = (PAGES / path).read_text()
    start = page.index(f'id="calculator-{name}"')
    broken = page[:start] + page[start:].replace('"is":["', '"is":["9', 1)
    assert broken != page
    reader.page.route(f"**/{path}", lambda route: route.fulfill(body=broken))
    try:
        root = opened(reader, name)
        assert root.get_attribute("data-state") == "broken"
        assert root.locator("td[data-exact]").count() == 0
        assert "would be wrong" in root.locator("[role=alert]").inner_text()
    finally:
        reader.page.unroute(f"**/{path}")


@both_widths
@every_form
def test_the_page_keeps_room_for_the_calculator(reader, name, width):
    def height(state):
        page = reader.open(PLACES[name][0], width=width)
        part = page.locator(f"#calculator-{name}{state}")
        return part.evaluate("part => part.getBoundingClientRect().height")

    reader.page.route("**/calculator.js*", lambda route: route.fulfill(body=""))
    before = height(":not([data-state])")
    reader.page.unroute("**/calculator.js*")
    assert before == pytest.approx(height("[data-state=ready]"), abs=100)
