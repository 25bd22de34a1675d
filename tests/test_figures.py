"""The data behind every figure, and the one visual language."""

import re
from pathlib import Path

import pytest

from flopslib import count, figures, linear, palette, transformer_layer
from flopslib.book.inline_svg import figure_html
from flopslib.models import vit_b_16
from flopslib.tables import conventions_table, notation_table

CSS = (Path(__file__).parents[1] / "chapters" / "_static" / "book.css").read_text()


def drawn():
    return {
        "dot product": figures.dot_product_picture(3),
        "gap": figures.convention_gap([3, 16, 64]),
        "grid": figures.linear_grid(3, 2),
        "growth": figures.linear_growth([256, 512], [1, 8]),
        "window": figures.sliding_window([[1, 2, 3], [4, 5, 6]], [[1, 0], [2, 1]]),
        "places": figures.window_places([{"size": 7, "kernel": 3, "padding": 1}]),
        "kernels": figures.kernel_growth([1, 3], [1, 4], channels=8, side=5),
        "separable": figures.separable_weights(3, 4, 3),
        "ratio": figures.separable_ratio([8, 64], [3, 5], in_channels=8),
        "square": figures.attention_square(4),
        "shares": figures.step_shares(transformer_layer, [4, 32], d_model=8),
        "ffn": figures.ffn_lines(2, 8),
        "gelu": figures.gelu_share([8, 64]),
        "terms": figures.terms_per_token([1, 4, 8]),
        "crossings": figures.crossings([8, 16], [8, 16, 32, 64]),
        "error": figures.approximation_error([0.1, 1, 10], 100),
        "patches": figures.patches_picture(4, 2, width=2),
        "vit shares": figures.vit_shares(vit_b_16, [224, 1088]),
        "vit growth": figures.vit_growth([16, 32], [512, 1024, 2048]),
    }


every_figure = pytest.mark.parametrize("picture", drawn().values(), ids=drawn().keys())


def test_every_figure_function_is_drawn_here():
    named = {name.removesuffix("_data") for name in vars(figures) if name.endswith("_data")}
    assert len(named) == len(drawn())


class TestData:
    def test_dot_product(self):
        # 4 products, 3 sums
        assert figures.dot_product_data(4) == {"terms": 4, "multiplications": 4, "additions": 3}

    def test_gap(self):
        # 2n is one more than 2n - 1: for 3, one in 5
        assert figures.convention_gap_data([3, 8]) == {
            "terms": [3, 8],
            "excess": [1, 1],
            "percent": [20, pytest.approx(100 / 15)],
        }

    def test_grid(self):
        # 5 products and 5 sums (the bias among them) in each of 2 rows
        data = figures.linear_grid_data(5, 2)
        assert data == {"rows": 2, "columns": 5, "multiplications": 10, "additions": 10}

    def test_growth(self):
        # 2 * 10 * 10 and 2 * 20 * 20, and three times that
        data = figures.linear_growth_data([10, 20], [1, 3])
        assert data["flops"] == {1: [200, 800], 3: [600, 2400]}

    def test_window(self):
        places = figures.sliding_window_data([[1, 2, 3], [4, 5, 6]], [[1, 0], [2, 1]])
        # 1*1 + 2*0 + 4*2 + 5*1 = 14 and 2*1 + 3*0 + 5*2 + 6*1 = 18
        assert [place["output"] for place in places] == [14, 18]
        assert [place["corner"] for place in places] == [(0, 0), (0, 1)]
        assert places[0]["factors"] == [(1, 1), (2, 0), (4, 2), (5, 1)]

    def test_places(self):
        cases = [{"size": 7, "kernel": 3, "stride": 2, "padding": 1}]
        (case,) = figures.window_places_data(cases)
        assert case["starts"] == [0, 2, 4, 6]
        assert case["places"] == 4

    def test_kernels(self):
        # 8*8*9*25 = 14400 with one group, a quarter of it with four
        data = figures.kernel_growth_data([1, 3], [1, 4], channels=8, side=5)
        assert data["macs"] == {1: [1600, 14400], 4: [400, 3600]}

    def test_separable(self):
        # 2*5*9 against 2*9 and 2*5
        data = figures.separable_weights_data(2, 5, 3)
        assert data == {"ordinary": 90, "depthwise": 18, "pointwise": 10, "separable": 28}

    def test_ratio(self):
        data = figures.separable_ratio_data([4], [3], in_channels=2)
        # 1/4 + 1/9; exactly (8*2 + 3*4) of a separable 2 -> 4 against 4 * 35
        assert data["macs"] == {3: [pytest.approx(13 / 36)]}
        assert data["exact"] == {3: [pytest.approx((2 * 17 + 4 * 3) / (4 * 35))]}

    def test_square(self):
        data = figures.attention_square_data(3, 5)
        assert data["seen"] == {"full": [5, 5, 5], "causal": [3, 4, 5]}
        assert data["pairs"] == {"full": 15, "causal": 12}
        for seq_len, keys in ((1, 1), (4, 4), (3, 7)):
            data = figures.attention_square_data(seq_len, keys)
            assert {mask: sum(rows) for mask, rows in data["seen"].items()} == data["pairs"]

    def test_shares(self):
        data = figures.step_shares_data(transformer_layer, [8, 48], d_model=8, num_heads=2)
        # 8 : 4 : 16 of 28, and at L = 6d the square has half
        assert data["shares"]["projections"][0] == pytest.approx(8 / 28)
        assert data["shares"]["scores and weighted sum"] == [pytest.approx(4 / 28), 0.5]
        assert sum(shares[1] for shares in data["shares"].values()) == pytest.approx(1)

    def test_the_groups_hold_every_flop_of_a_causal_layer_too(self):
        data = figures.step_shares_data(transformer_layer, [8], d_model=8, causal=True)
        assert sum(shares[0] for shares in data["shares"].values()) == pytest.approx(1)

    def test_ffn(self):
        data = figures.ffn_lines_data(3, 5)
        assert data == {"in": 3, "hidden": 5, "out": 3, "first": 15, "second": 15}

    def test_gelu(self):
        # 4 operations for each of 4d hidden numbers, beside 16d²: one in d + 1
        assert figures.gelu_share_data([6])["percent"] == [pytest.approx(100 / 7)]

    def test_terms(self):
        data = figures.terms_per_token_data([1, 3, 8])
        assert data["square"] == [4, 12, 32]
        assert data["against"] == {"projections": 8, "feed-forward": 16, "both": 24}
        assert data["crossings"] == {"projections": 2, "feed-forward": 4, "both": 6}

    def test_crossings(self):
        data = figures.crossings_data([4, 8], [24, 48])
        assert data["shares"] == {4: [0.5, pytest.approx(2 / 3)], 8: [pytest.approx(1 / 3), 0.5]}
        assert data["marks"][8] == {2: 0.25, 4: pytest.approx(0.4), 6: 0.5}

    def test_error(self):
        # L = 3d/2 without a mask: 6 of 30; with one, 3d + 2 of 27d + 2; 12 for 30
        data = figures.approximation_error_data([1.5], 100)
        assert data["errors"]["24d², no mask"] == [pytest.approx(20)]
        assert data["errors"]["24d², causal"] == [pytest.approx(100 * 302 / 2702)]
        assert data["errors"]["12d², no mask"] == [pytest.approx(60)]

    def test_patches(self):
        # 3 patches a side of 2 * 2 pixels; 9 patches, 5 numbers for each, and the class token
        data = figures.patches_data(6, 2, width=5)
        assert data == {"across": 3, "pixels": 4, "width": 5, "positions": 10, "macs": 9 * 5 * 4}

    def test_the_parts_of_a_vision_transformer(self):
        # patches and head; 4 and 8 squares of d² for each of 197 positions; 2 d for each pair
        parts = figures.vit_parts(count(vit_b_16(), (1, 3, 224, 224)))
        assert parts == {
            "patches and head": 196 * 768 * 768 + 768 * 1000,
            "projections": 12 * 197 * 4 * 768**2,
            "scores and weighted sum": 12 * 197**2 * 2 * 768,
            "feed-forward": 12 * 197 * 8 * 768**2,
        }

    def test_vit_shares(self):
        # 14² + 1 and 68² + 1 positions; the square is L / (L + 6d) of the layers
        data = figures.vit_shares_data(vit_b_16, [224, 1088])
        assert data["positions"] == [197, 4625]
        for at, positions in enumerate(data["positions"]):
            layers = 1 - data["shares"]["patches and head"][at]
            square = positions / (positions + 6 * 768)
            assert data["shares"]["scores and weighted sum"][at] == pytest.approx(square * layers)

    def test_vit_growth(self):
        # 7² + 1 positions: 49 patches of 3072 numbers, 12 layers, the head
        data = figures.vit_growth_data([32], [224])
        layers = 12 * (50 * 12 * 768**2 + 2 * 50**2 * 768)
        assert data["macs"] == {32: [49 * 3072 * 768 + layers + 768 * 1000]}
        # (side / 32)² + 1 = 6 * 768
        assert (data["crossings"][32] / 32) ** 2 + 1 == pytest.approx(6 * 768)


@every_figure
def test_what_is_drawn_is_the_data(picture):
    data = picture.data
    signs = {
        sign: len(re.findall(rf">\s*{re.escape(sign)}\s*</text>", picture.svg)) for sign in "×+"
    }
    if "multiplications" in data and "terms" in data:
        assert signs == {"×": data["multiplications"], "+": data["additions"]}
    if "rows" in data:
        assert picture.svg.count("·x") == data["multiplications"]
        assert signs["+"] == data["additions"]
    if "separable" in data:
        drawn_squares = picture.svg.count("stroke: var(--multiplication")
        assert drawn_squares == data["ordinary"] + data["separable"]
    if "pairs" in data:
        assert picture.svg.count("stroke: var(--square") == sum(data["pairs"].values())
    if "hidden" in data:
        lines = picture.svg.count("stroke: var(--multiplication")
        assert lines == data["first"] + data["second"]
    if "places" in data:
        for place in data["places"]:
            assert f"= {place['output']}<" in picture.svg


@every_figure
def test_words_and_colours(picture):
    assert picture.caption.endswith(".")
    assert picture.alt.endswith(".")
    assert f"<desc>{picture.alt}</desc>" in picture.svg
    for light, dark in palette.VARIABLES.values():
        assert not re.search(rf"(?<!, ){light}", picture.svg)
        assert dark not in picture.svg
    others = set(re.findall(r"#[0-9a-f]{6}", picture.svg)) - {
        v[0] for v in palette.VARIABLES.values()
    }
    assert others <= {"#000000"}  # invisible boxes of Matplotlib's own
    assert picture._repr_mimebundle_().keys() == {"image/svg+xml", "text/plain"}


@every_figure
def test_the_page_shows_the_caption_and_reads_the_description(picture):
    html = figure_html(picture.svg)
    assert f"<figcaption>{picture.caption}</figcaption>" in html
    assert 'role="img"' in html
    assert "<title>" not in html


def test_a_figure_is_the_same_every_time():
    for one, two in zip(drawn().values(), drawn().values(), strict=True):
        assert one.svg == two.svg


def test_figures_share_no_ids_but_those_of_equal_clips():
    ids = re.findall(r' id="([^"]*)"', figures.dot_product_picture(3).svg)
    assert all(figures.dot_product_picture(3).svg.count(f"#{name}") for name in ids)


def test_the_style_sheet_has_the_colours_of_the_palette():
    for at, theme in enumerate(("light", "dark")):
        block = re.search(rf'html\[data-theme="{theme}"\] {{(.*?)}}', CSS, flags=re.DOTALL)[1]
        for variable, values in palette.VARIABLES.items():
            assert f"{variable}: {values[at]};" in block
    for colour in (palette.MULTIPLICATION[0], palette.ADDITION[0]):
        rgb = ", ".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
        assert f"rgb({rgb})" in CSS


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear_light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear_light, strict=True))


def contrast(one, two):
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "name", ["MULTIPLICATION", "ADDITION", "INK", "QUIET", "PROJECTION", "SQUARE", "FFN"]
)
def test_text_is_legible_on_both_pages(name):
    light, dark = getattr(palette, name)
    assert contrast(light, "#ffffff") >= 4.5
    assert contrast(dark, "#121212") >= 4.5


@pytest.mark.parametrize("name", ["MULTIPLICATION", "ADDITION"])
def test_text_is_legible_on_its_tint(name):
    for colour, tint in zip(getattr(palette, name), getattr(palette, f"{name}_TINT"), strict=True):
        assert contrast(colour, tint) >= 4.5


def test_the_conventions_table_has_the_rows_of_the_convention():
    rows = {row[0].split("**")[1]: row[1:] for row in conventions_table().rows}
    plain = {label: [_bare(cell) for cell in cells] for label, cells in rows.items()}
    # n subtractions and n - 1 sums; mean, centring, variance, epsilon and shift
    assert plain["softmax of $n$"][1] == "2 n - 1"
    assert plain["layer norm of $n$"][:2] == ["2 n", "4 n - 1"]
    assert plain["layer norm of $n$, no β"][1] == "3 n - 1"
    assert plain["GELU"] == ["3", "1", "–", "1 erf"]
    assert plain["dot product of $n$"][:3] == ["n", "n - 1", "n"]
    assert plain["ReLU6"][3] == "2 comparisons"
    assert [label for label, cells in plain.items() if cells[2] != "–"] == ["dot product of $n$"]


def _bare(cell):
    return re.sub(r"\\textcolor\{#\w+\}\{(.*)\}", r"\1", cell.replace("$", ""))


def test_the_notation_table_has_a_row_for_every_argument_of_every_layer():
    from flopslib import registered

    arguments = {name for cost in registered().values() for name in cost.sizes}
    shown = repr(notation_table())
    assert all(f"`{argument}`" in shown for argument in arguments)


def test_the_gap_has_the_right_sign():
    layer = linear(3, 1, bias=False)
    assert layer.flops - layer.exact_flops == 1
