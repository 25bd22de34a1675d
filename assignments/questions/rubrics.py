"""How the points of a derivation are made up, so that two people who read it give the same."""

#: Set → (what has to be there, points) for each part of its derivation.
RUBRICS: dict[str, tuple[tuple[str, int], ...]] = {
    "layers": (
        ("one dimension: p(p + 1) products with a zero, derived from one output", 3),
        ("two dimensions: the square, and why rows and columns can be chosen independently", 2),
        ("the part that is saved, to first order, checked with p = 1", 1),
    ),
    "transformers": (
        ("unfolding: keys, values, scores and sums, each as one output times how many", 1),
        ("folding: the four products, and why they give the same numbers", 2),
        ("the crossing, and its cases for r below, at and above the width of a head", 2),
        ("the cache: r numbers for each token in either way, instead of 2d", 1),
    ),
    "networks": (
        ("the forward pass", 1),
        ("backward: both products with their shapes, and where the sum over the batch is", 2),
        ("the product that nobody needs, and the exact cost of a step", 1),
        ("two layers: the factor, its limit and its least value", 2),
    ),
    "training": (
        ("forward: both steps, each as one output times how many", 1),
        ("backward: the four products with their shapes, and where the sum over the batch is", 3),
        ("what is left where one of the inputs is data", 1),
        ("computed again: the cost, its factor and its limit, and what is kept instead", 1),
    ),
    "serving": (
        ("both ways: the MACs, and the numbers that are read", 2),
        ("the two parts put together, derived, with what it takes", 2),
        ("the factor, both limits, and from which number of texts on it is half of one", 2),
    ),
}
