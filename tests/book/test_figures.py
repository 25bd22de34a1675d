"""The data behind every figure, and the one visual language."""

import re
from functools import cache
from pathlib import Path

import pytest

from flopsbook import figures, palette
from flopsbook.inline_svg import figure_html
from flopsbook.tables import conventions_table, notation_table
from flopslib import count, linear, transformer_layer
from flopslib import layers as nn
from flopslib.hardware import chip
from flopslib.models import alexnet, llama, llama_7b, mobilenet_v2, resnet50, vit_b_16

CSS = (Path(__file__).parents[2] / "chapters" / "_static" / "book.css").read_text()


FIGURES = {
    "dot product": lambda: figures.dot_product_picture(3),
    "gap": lambda: figures.convention_gap([3, 16, 64]),
    "shapes": lambda: figures.shapes_picture(count(resnet50(), (1, 3, 224, 224))),
    "grid": lambda: figures.linear_grid(3, 2),
    "growth": lambda: figures.linear_growth([256, 512], [1, 8]),
    "window": lambda: figures.sliding_window([[1, 2, 3], [4, 5, 6]], [[1, 0], [2, 1]]),
    "places": lambda: figures.window_places([{"size": 7, "kernel": 3, "padding": 1}]),
    "kernels": lambda: figures.kernel_growth([1, 3], [1, 4], channels=8, side=5),
    "separable": lambda: figures.separable_weights(3, 4, 3),
    "ratio": lambda: figures.separable_ratio([8, 64], [3, 5], in_channels=8),
    "square": lambda: figures.attention_square(4),
    "row": lambda: figures.cached_row(4),
    "attention flow": lambda: figures.attention_flow(5, 6, 3),
    "shares": lambda: figures.step_shares(transformer_layer, [4, 32], d_model=8),
    "ffn": lambda: figures.ffn_lines(2, 8),
    "gelu": lambda: figures.gelu_share([8, 64]),
    "gradients": lambda: figures.gradient_grids(3, 2),
    "step parts": lambda: figures.step_parts(
        {"two": count(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), (1, 4))}
    ),
    "flow": lambda: figures.transformer_flow(8, 4, num_heads=2, causal=True),
    "terms": lambda: figures.terms_per_token([1, 4, 8]),
    "crossings": lambda: figures.crossings([8, 16], [8, 16, 32, 64]),
    "error": lambda: figures.approximation_error([0.1, 1, 10], 100),
    "patches": lambda: figures.patches_picture(4, 2, width=2),
    "vit shares": lambda: figures.vit_shares(vit_b_16, [224, 1088]),
    "vit growth": lambda: figures.vit_growth([16, 32], [512, 1024, 2048]),
    "layers": lambda: figures.layer_shares(count(alexnet(), (1, 3, 224, 224))),
    "gather": lambda: figures.gather_scatter(2, 3, 2),
    "painted": lambda: figures.painted_windows(2, 3, 2, 1),
    "stride": lambda: figures.scatter_growth([1, 2], channels=2, kernel=2, side=3),
    "gated": lambda: figures.gated_weights(3),
    "window squares": lambda: figures.window_squares(5, 2, 1),
    "latent forms": lambda: figures.latent_forms(64, [1, 16, 64]),
    "visits": lambda: figures.visits(2),
    "bytes of experts": lambda: figures.bytes_of_experts(8, 2, [1, 2, 4, 16]),
    "path": lambda: figures.model_path(one_layer),
    "token": lambda: figures.token_context(llama_7b, [1, 4096], usual=2048),
    "model shares": lambda: figures.model_shares(["gpt2_small", "llama3_8b"], seen=1024),
    "stages": lambda: figures.stage_bars(count(resnet50(), (1, 3, 224, 224))),
    "kinds": lambda: figures.kind_bars(count(mobilenet_v2(), (1, 3, 224, 224))),
    "moved": lambda: figures.moved_shares({"1": linear(8, 8), "64": linear(8, 8, batch=64)}),
    "roof": lambda: figures.roofline(
        chip("L4"), {"1": linear(8, 8), "2": linear(999, 999, batch=999)}
    ),
    "serving": lambda: figures.serving_shares(one_layer, [1, 8], seen=9),
    "memory": lambda: figures.memory_bars(1000, {"small": 10, "large": 90_000}),
    "tools": lambda: figures.tool_spread(["resnet18", "gpt2_layer"]),
    "answers": lambda: figures.all_answers("conv_net"),
}


def one_layer(**options):
    return llama(1, 6, 1, 5, vocab_size=7, **options)


@cache
def drawn(name):
    return FIGURES[name]()


@pytest.fixture
def picture(request):
    return drawn(request.param)


every_figure = pytest.mark.parametrize("picture", FIGURES, indirect=True)


def test_every_figure_function_is_drawn_here():
    named = {name.removesuffix("_data") for name in vars(figures) if name.endswith("_data")}
    assert len(named) == len(FIGURES)


class TestData:
    def test_window_squares(self):
        data = figures.window_squares_data(5, 2, 1)
        # 1 + 2 + 2 + 2 + 2, and the first key of the last three
        assert data["pairs"] == {"window": 9, "window and sinks": 12}
        assert data["seen"]["window and sinks"][4] == [0, 3, 4]

    def test_latent_forms(self):
        data = figures.latent_forms_data(64, [1, 2])
        # of 65 and 66 positions: 512 numbers each in keys and values of 128 heads of 128
        assert data["projected"][1] - data["projected"][0] > 128 * 256 * 512
        assert data["absorbed"][0] < data["projected"][0]

    def test_visits(self):
        data = figures.visits_data(2)
        # the two largest of 2, 9, 1, 4 and of 7, 3, 8, 1
        assert data["chosen"][:2] == [[1, 3], [0, 2]]
        assert sum(data["load"]) == 2 * len(data["chosen"])

    def test_bytes_of_experts(self):
        data = figures.bytes_of_experts_data(8, 2, [1, 3, 5])
        assert data["most"] == [2 / 8, 6 / 8, 1]
        assert data["chance"] == pytest.approx([2 / 8, 1 - (3 / 4) ** 3, 1 - (3 / 4) ** 5])

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

    def test_tools(self):
        (ratios,) = figures.tool_spread_data(["linear"]).values()
        # 2*3*5*7 = 210 MACs; torchinfo has 7*(5 + 1) parameters for each of 2 samples
        assert ratios["torchinfo, cpu, mult-adds"] == 84 / 210
        assert ratios["fvcore, meta, flops"] == ratios["calflops, cpu, FLOPs"] == 1
        # 8 tools on 2 devices, and two figures of calflops
        assert len(ratios) == 18

    def test_answers(self):
        answers = figures.all_answers_data("conv_net")
        # a convolution of 2*5*8*8*27 and a linear layer of 2*80*10; and two for each
        assert "calflops" in answers[17_280 + 1_600]
        assert answers[40_660] == ["onnx-tool"]  # 31 for each of 640 normalised numbers among it
        assert list(answers) == sorted(answers)

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
        # 5 * 5 pairs, and 1 + 2 + 3 + 4 + 5 of them
        data = figures.attention_square_data(5)
        assert data["seen"] == {"full": [5] * 5, "causal": [1, 2, 3, 4, 5]}
        assert data["pairs"] == {"full": 25, "causal": 15}
        for seq_len in (1, 4):
            data = figures.attention_square_data(seq_len)
            assert {mask: sum(rows) for mask, rows in data["seen"].items()} == data["pairs"]

    def test_row(self):
        # the sixth token sees 6 of the 1 + 2 + ... + 6 pairs, and one new key is its own
        data = figures.cached_row_data(5)
        assert data == {"cached": 5, "row": 6, "again": 21, "new_keys": 1}

    def test_attention_flow(self):
        # 5 tokens of 6 numbers in 3 heads of 2: 5 * 6 * 6 for each projection, and
        # 3 heads of 5 * 5 pairs with 2 products each, for the scores and for the sums
        data = figures.attention_flow_data(5, 6, 3)
        assert data["macs"] == {
            "query projection": 180,
            "key projection": 180,
            "value projection": 180,
            "scores": 150,
            "weighted sum": 150,
            "output projection": 180,
        }
        assert data["in all"] == 1020
        assert data["sizes"] == {
            "token vectors": (5, 6),
            "of a head": (5, 2),
            "scores": (5, 5),
            "weights": (6, 6),
        }

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

    def test_flow(self):
        # 7 tokens of width 6: 4 and 8 squares of 36 weights, and 2 * 7 * 7 * 6 for the pairs
        data = figures.transformer_flow_data(7, 6, num_heads=3)
        attention = {"projections": 7 * 4 * 36, "scores and weighted sum": 2 * 49 * 6}
        assert data["blocks"] == [
            ("norm", {}),
            ("attention", attention),
            ("+", {}),
            ("norm", {}),
            ("feed-forward", {"feed-forward": 7 * 8 * 36}),
            ("+", {}),
        ]
        assert data["macs"] == sum(sum(parts.values()) for _, parts in data["blocks"])

    def test_a_causal_layer_has_every_mac_in_the_drawing(self):
        data = figures.transformer_flow_data(7, 6, causal=True, tanh_gelu=True)
        assert [block for block, _ in data["blocks"]].count("norm") == 2
        assert data["macs"] == sum(sum(parts.values()) for _, parts in data["blocks"])

    def test_every_figure_has_the_parts_of_a_layer_in_the_same_order(self):
        order = ("projections", "feed-forward", "scores and weighted sum")
        found = [
            figures.step_shares_data(transformer_layer, [8], d_model=8)["shares"],
            figures.model_shares_data(["gpt2_small"], seen=1)["shares"],
            figures.token_context_data(llama_7b, [1], usual=2)["flops"],
            figures.vit_shares_data(vit_b_16, [224])["shares"],
        ]
        for parts in found:
            assert tuple(part for part in parts if part in order) == order
            assert list(parts)[-1] == order[-1]

    def test_terms(self):
        data = figures.terms_per_token_data([1, 3, 8])
        assert data["ratios"] == [0, 1, 3, 8]
        assert data["square"] == [0, 4, 12, 32]
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
        assert data == {"across": 3, "pixels": 4, "width": 5, "tokens": 10, "macs": 9 * 5 * 4}

    def test_the_parts_of_a_vision_transformer(self):
        # patches and head; 4 and 8 squares of d² for each of 197 tokens; 2 d for each pair
        parts = figures.vit_parts(count(vit_b_16(), (1, 3, 224, 224)))
        assert parts == {
            "patches and head": 196 * 768 * 768 + 768 * 1000,
            "projections": 12 * 197 * 4 * 768**2,
            "scores and weighted sum": 12 * 197**2 * 2 * 768,
            "feed-forward": 12 * 197 * 8 * 768**2,
        }

    def test_vit_shares(self):
        # 14² + 1 and 68² + 1 tokens; the square is L / (L + 6d) of the layers
        data = figures.vit_shares_data(vit_b_16, [224, 1088])
        assert data["tokens"] == [197, 4625]
        for at, tokens in enumerate(data["tokens"]):
            layers = 1 - data["shares"]["patches and head"][at]
            square = tokens / (tokens + 6 * 768)
            assert data["shares"]["scores and weighted sum"][at] == pytest.approx(square * layers)

    def test_vit_growth(self):
        # 7² + 1 tokens: 49 patches of 3072 numbers, 12 layers, the head
        data = figures.vit_growth_data([32], [224])
        layers = 12 * (50 * 12 * 768**2 + 2 * 50**2 * 768)
        assert data["macs"] == {32: [49 * 3072 * 768 + layers + 768 * 1000]}
        # (side / 32)² + 1 = 6 * 768
        assert (data["crossings"][32] / 32) ** 2 + 1 == pytest.approx(6 * 768)

    def test_layer_shares(self):
        # 2 * 9 weights at 3 * 3 places, and 18 * 2 weights at one; the ReLU has neither
        model = nn.Sequential(
            conv=nn.Conv2d(1, 2, 3, bias=False),
            relu=nn.ReLU(),
            flatten=nn.Flatten(),
            head=nn.Linear(18, 2, bias=False),
        )
        assert figures.layer_shares_data(count(model, (1, 1, 5, 5))) == {
            "paths": ["conv", "head"],
            "parameters": [pytest.approx(100 / 3), pytest.approx(200 / 3)],
            "macs": [pytest.approx(100 * 162 / 198), pytest.approx(100 * 36 / 198)],
        }

    def test_gather_scatter(self):
        # pixels at 0 and 2, three places each: place 2 is met twice
        data = figures.gather_scatter_data(2, 3, 2)
        assert data["lines"] == [(0, 0), (0, 1), (0, 2), (1, 2), (1, 3), (1, 4)]
        assert data["arriving"] == {"narrow": [3, 3], "wide": [1, 1, 2, 1, 1]}
        assert data["gathered"] == data["scattered"] == len(data["lines"]) == 6

    def test_painted_windows(self):
        # 4 pixels of 9 weights; along one side 1, 2, 1 of 1, 1, 2, 1, 1 are kept: 4 * 4
        data = figures.painted_windows_data(2, 3, 2, 1)
        assert [len(letters) for letters in data["landed"][0]] == [1, 1, 2, 1, 1]
        assert data["landed"][2] == ["ac", "ac", "abcd", "bd", "bd"]
        assert sum(len(letters) for row in data["landed"] for letters in row) == 36
        assert (data["products"], data["kept"], data["outputs"]) == (36, 16, 9)

    def test_scatter_growth(self):
        # 5*5 channels, 4 weights, 3*3 pixels in; 4*4 and 6*6 pixels out
        data = figures.scatter_growth_data([1, 2], channels=5, kernel=2, side=3)
        assert data["outs"] == [4, 6]
        assert data["by_input"] == [25 * 4 * 9] * 2
        assert data["by_output"] == [25 * 4 * 16, 25 * 4 * 36]

    def test_gated_weights(self):
        # 2 * 6 * 24 and 3 * 6 * 16
        data = figures.gated_weights_data(6)
        assert data["macs"] == {"plain": 288, "gated": 288}
        assert (data["plain"], data["gated"]) == ([24, 24], [16, 16, 16])

    def test_path(self):
        # 7 tokens; width 6, of one head; squares of 6² and, for keys and values, 6·6; 3 matrices
        # of 6·5; no weights in the scores and the sum, which are 6 products each
        data = figures.model_path_data(one_layer)
        squares, gated = 4 * 36, 3 * 30
        assert data["blocks"] == [
            ("token table", {"token table": (42, 0)}),
            ("norm", {"norms": (6, 0)}),
            ("attention", {"projections": (squares, squares), "scores and weighted sum": (0, 12)}),
            ("norm", {"norms": (6, 0)}),
            ("feed-forward", {"feed-forward": (gated, gated)}),
            ("norm", {"norms": (6, 0)}),
            ("logits", {"logits": (42, 42)}),
        ]
        assert data["parameters"] == 42 + squares + gated + 18 + 42
        assert data["macs"] == squares + 12 + gated + 42

    def test_only_a_model_of_one_layer_has_a_path(self):
        with pytest.raises(ValueError, match="one layer, got 32 layers"):
            figures.model_path_data(llama_7b)

    def test_token(self):
        # LLaMA-7B: 4 squares of 4096² and 3 matrices of 4096 × 11008 in 32 layers; for each
        # position seen 4096 products for the scores and as many for the sums; 32000 words
        data = figures.token_context_data(llama_7b, [1, 3], usual=2048)
        assert data["flops"] == {
            "feed-forward": [2 * 32 * 3 * 4096 * 11008] * 2,
            "projections": [2 * 32 * 4 * 4096**2] * 2,
            "logits": [2 * 4096 * 32000] * 2,
            "scores and weighted sum": [2 * 32 * 2 * 4096, 3 * 2 * 32 * 2 * 4096],
        }
        assert data["usual flops"] == 14_287_896_576
        # (4 * 4096² + 3 * 4096 * 11008) / (2 * 4096)
        assert data["crossing"] == 24_704

    def test_model_shares(self):
        # GPT-2 small, one position: 8 and 4 squares of 768² in 12 layers, 2 * 768 for the
        # square in each, 50257 words: in units of 768 that is 73728, 36864, 24 and 50257
        data = figures.model_shares_data(["gpt2_small"], seen=1)
        shares = {name: share for name, (share,) in data["shares"].items()}
        together = 73728 + 36864 + 24 + 50257
        assert shares == pytest.approx(
            {
                "feed-forward": 73728 / together,
                "projections": 36864 / together,
                "logits": 50257 / together,
                "scores and weighted sum": 24 / together,
            }
        )

    def test_stage_bars(self):
        # 54 weights at 4*4 places, 6 at 2*2, and 8*5 once; the norm's 2*3 parameters
        # belong to the convolution before it
        model = nn.Sequential(
            conv=nn.Conv2d(2, 3, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(3),
            pool=nn.Conv2d(3, 2, 1, stride=2, bias=False),
            flatten=nn.Flatten(),
            fc=nn.Linear(8, 5, bias=False),
        )
        assert figures.stage_bars_data(count(model, (1, 2, 4, 4))) == {
            "stages": {
                "conv, 4×4": {"macs": 864 / 928, "parameters": 60 / 106},
                "pool, 2×2": {"macs": 24 / 928, "parameters": 6 / 106},
                "fc": {"macs": 40 / 928, "parameters": 40 / 106},
            }
        }

    def test_shapes_picture(self):
        # 54 weights at 4*4 places and 8*5 once; the norm's 2*3 parameters belong to the
        # convolution before it, and what has no MACs has no box
        model = nn.Sequential(
            conv=nn.Conv2d(2, 3, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(3),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc=nn.Linear(12, 5, bias=False),
        )
        report = count(model, (1, 2, 4, 4))
        conv = {"path": "conv", "shape": (3, 4, 4), "macs": 864, "parameters": 60}
        fc = {"path": "fc", "shape": (5,), "macs": 60, "parameters": 60}
        assert figures.shapes_picture_data(report) == {"stages": [conv, fc]}
        drawn = figures.shapes_picture(report)
        for label in ("864", "60", "3 ×", "4×4", ">5<", "conv", "fc"):
            assert label in drawn.svg

    def test_kind_bars(self):
        # at 3*3 places 4*9 depthwise, 4*6 pointwise and 2 groups of 3*3 weights; 6*7 once
        model = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
            nn.Conv2d(4, 6, 1, bias=False),
            nn.Conv2d(6, 6, 1, groups=2, bias=False),
            nn.BatchNorm2d(6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 7, bias=False),
        )
        weights = {"3×3 depthwise": 36, "1×1": 24, "1×1 grouped": 18, "linear": 42, "norms": 12}
        places = {"3×3 depthwise": 9, "1×1": 9, "1×1 grouped": 9, "linear": 1, "norms": 0}
        kinds = figures.kind_bars_data(count(model, (1, 4, 3, 3)))["kinds"]
        assert list(kinds) == list(weights)
        for kind, share in kinds.items():
            assert share["parameters"] == weights[kind] / 132
            assert share["macs"] == weights[kind] * places[kind] / (9 * 78 + 42)


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
    if "row" in data:
        assert picture.svg.count("stroke: var(--square") == data["row"]
        assert f"{data['again'] - data['row']} scores of the past" in picture.svg
    if "in all" in data:
        _is_the_way_through_attention(picture)
    if "hidden" in data:
        lines = picture.svg.count("stroke: var(--multiplication")
        assert lines == data["first"] + data["second"]
    if "landed" in data:
        letters = re.findall(r">\s*([a-d]+)\s*</text>", picture.svg)
        assert len("".join(letters)) == data["side"] ** 2 + data["products"]
    if "arriving" in data:
        assert picture.svg.count("stroke: var(--multiplication") == 2 * len(data["lines"])
    if "gated" in data:
        assert picture.svg.count("stroke: var(--ffn") == sum(data["macs"].values())
    if "places" in data:
        for place in data["places"]:
            assert f"= {place['output']}<" in picture.svg


def _is_the_way_through_attention(picture):
    data = picture.data
    heads, (tokens, width) = data["heads"], data["sizes"]["token vectors"]
    # scores and their weights in every head; the sums in the heads, and once more side by side
    cells = heads * 2 * tokens**2 + 2 * tokens * width
    assert picture.svg.count("stroke: var(--square") == cells
    # queries, keys, values and the output; and the boxes of the projections
    assert picture.svg.count("stroke: var(--projection") == 4 * tokens * width + 2
    drawn = re.findall(r"([\d,]+) MACs( each)?\s*</text>", picture.svg)
    together = sum(int(macs.replace(",", "")) * (3 if each else 1) for macs, each in drawn)
    assert together == data["in all"]


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
    for name, draw in FIGURES.items():
        one, two = drawn(name), draw()
        assert one.svg == two.svg


def test_figures_share_no_ids_but_those_of_equal_clips():
    ids = re.findall(r' id="([^"]*)"', figures.dot_product_picture(3).svg)
    assert all(figures.dot_product_picture(3).svg.count(f"#{name}") for name in ids)


def test_the_style_sheet_has_the_colours_of_the_palette():
    themes = ('html:not([data-theme="dark"])', 'html[data-theme="dark"]')
    for at, theme in enumerate(themes):
        block = re.search(rf"{re.escape(theme)} {{(.*?)}}", CSS, flags=re.DOTALL)[1]
        for variable, values in palette.VARIABLES.items():
            assert f"{variable}: {values[at]};" in block
    for colour in (palette.MULTIPLICATION[0], palette.ADDITION[0]):
        assert f'html[data-theme="dark"] .katex [style*="{colour}"]' in CSS


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
    assert plain["layer norm of $n$, no $\\beta$"][1] == "3 n - 1"
    assert plain["GELU"] == ["3", "1", "–", "1 erf"]
    assert plain["dot product of $n$"][:3] == ["n", "n - 1", "n"]
    assert plain["ReLU6"][3] == "2 comparisons"
    # every product of a scatter is added to something, since its sums begin at 0
    assert plain["scattered products of $n$"][:3] == ["n", "n", "n"]
    # squares and γ; n - 1 sums and epsilon; the mean, and every number by the root
    assert plain["RMS norm of $n$"] == ["2 n", "n", "–", "n + 1 divisions, 1 square root"]
    assert plain["sigmoid"] == ["–", "1", "–", "1 division, 1 exponential"]
    assert plain["SiLU"] == ["1", "1", "–", "1 division, 1 exponential"]
    # x·x, ·b, x·(…) and x·sigmoid; a + … and 1 + exp
    assert plain["GELU by tanh"] == ["4", "2", "–", "1 division, 1 exponential"]
    assert plain["hard sigmoid"] == ["1", "1", "–", "2 comparisons"]
    assert plain["hard swish"] == ["2", "1", "–", "2 comparisons"]
    assert plain["rotation"] == ["2", "1", "–", "–"]
    assert plain["elementwise product"] == ["1", "–", "–", "–"]
    dots = ["dot product of $n$", "scattered products of $n$"]
    assert [label for label, cells in plain.items() if cells[2] != "–"] == dots


def test_a_part_of_the_conventions_table():
    whole = {row[0]: row for row in conventions_table().rows}
    part = conventions_table("silu", "layer_norm").rows
    assert [row[0].split("**")[1] for row in part] == [
        "SiLU",
        "layer norm of $n$",
        "layer norm of $n$, no $\\beta$",
    ]
    assert all(whole[row[0]] == row for row in part)
    with pytest.raises(KeyError):
        conventions_table("nothing")


def _bare(cell):
    return re.sub(r"\\textcolor\{\w+\}\{(.*)\}", r"\1", cell.replace("$", ""))


def test_the_notation_table_has_a_row_for_every_argument_of_every_layer():
    from flopslib import registered

    arguments = {name for cost in registered().values() for name in cost.sizes}
    shown = repr(notation_table())
    assert all(f"`{argument}`" in shown for argument in arguments)


def test_the_gap_has_the_right_sign():
    layer = linear(3, 1, bias=False)
    assert layer.flops - layer.exact_flops == 1


def test_the_bytes_of_a_layer_by_what_they_are():
    data = figures.moved_shares_data({"7": linear(3, 2, batch=7, bias=False)})["7"]
    # 21 inputs, 6 weights, 14 results
    assert data == {"weights": 6 / 41, "activations read": 21 / 41, "results written": 14 / 41}


def test_the_roof_is_the_smaller_of_two_limits():
    layers = {"1": linear(999, 999, bias=False), "2": linear(4096, 4096, batch=4096, bias=False)}
    data = figures.roofline_data(chip("L4"), layers)
    assert data["1"]["reachable"] == data["1"]["intensity"] * chip("L4").bandwidth
    assert data["2"]["reachable"] == chip("L4").rate("bf16")
    assert data["1"]["intensity"] == 999 / 1001  # 2·999² FLOPs, 2·(999 + 999² + 999) bytes


def test_weights_are_read_once_and_caches_by_everybody():
    data = figures.serving_shares_data(one_layer, [1, 8], seen=9)
    ratio = [each["cache"] / each["weights"] for each in data.values()]
    assert ratio[1] > 7 * ratio[0]
    assert list(data) == ["1 sequence", "8 sequences"]


def test_the_memory_of_a_training_in_shares():
    data = figures.memory_bars_data(1000, {"as much": 16_000})["as much"]
    assert data == {
        "weights": 1 / 16,
        "gradients": 1 / 16,
        "optimiser": 3 / 8,
        "activations": 1 / 2,
    }
