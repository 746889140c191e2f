"""The searched cells: NASCell from its equations, the others by interpreting what was published of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, relu, sigmoid, tanh

from tests.zoo.named_weights import Weights

State = tuple[Tensor, ...]


def nascell(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    def total(number: int) -> Tensor:
        return w.product(f"a{number}", x=x, h=h)

    first = [sigmoid(total(1)), relu(total(2)), sigmoid(total(3))]
    first += [relu(w.product("a41", x=x) * w.product("a42", h=h))]
    first += [tanh(total(5)), sigmoid(total(6)), tanh(total(7)), sigmoid(total(8))]
    second = [tanh(first[0] * first[1]), tanh(first[2] + first[3])]
    second += [tanh(first[4] * first[5]), sigmoid(first[6] + first[7])]
    new_c = tanh(second[0] + c) * second[1]
    return tanh(new_c * tanh(second[2] + second[3])), new_c


FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": lambda value: value,
}
ENAS_ARC = "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"
"""The functions are tanh, relu, identity, sigmoid; each later node's source stands before its function."""
DARTS_V1 = "relu 0, relu 1, tanh 2, relu 3, relu 4, identity 1, relu 5, relu 1"
DARTS_V2 = "sigmoid 0, relu 1, relu 1, identity 1, tanh 2, sigmoid 5, tanh 3, relu 5"


def highway_nodes(w: Weights, x: Tensor, h: Tensor, genotype: Sequence[tuple[str, int]]) -> list[Tensor]:
    """Return the values of node 0, which reads x and h through tanh, and of the nodes of ``genotype``."""
    gate, candidate = sigmoid(w.product("s01", x=x, h=h)), tanh(w.product("s02", x=x, h=h))
    nodes = [h + gate * (candidate - h)]
    for number, (function, source) in enumerate(genotype, 1):
        previous = nodes[source]
        gate = sigmoid(w.product(f"s{number}1", {f"s{source}": previous}))
        candidate = FUNCTIONS[function](w.product(f"s{number}2", {f"s{source}": previous}))
        nodes.append(previous + gate * (candidate - previous))
    return nodes


def enas(w: Weights, x: Tensor, h: Tensor) -> State:
    arc = [int(token) for token in ENAS_ARC.split()]
    names = ["tanh", "relu", "identity", "sigmoid"]
    genotype = [(names[function], source) for source, function in zip(arc[1::2], arc[2::2], strict=True)]
    nodes = highway_nodes(w, x, h, genotype)
    assert names[arc[0]] == "tanh" and len(nodes) == 12
    loose = [node for number, node in enumerate(nodes) if number not in {source for _, source in genotype}]
    return (torch.stack(loose).mean(0),)


def darts(text: str, name: str) -> Callable[[Weights, Tensor, Tensor], State]:
    """Return the step of a published genotype."""
    genotype = [(part.split()[0], int(part.split()[1])) for part in text.split(", ")]

    def step(w: Weights, x: Tensor, h: Tensor) -> State:
        return (torch.stack(highway_nodes(w, x, h, genotype)[1:]).mean(0),)

    step.__name__ = name
    return step


Recipe = Mapping[str, tuple[str, Sequence[str]]]
RECIPES: Mapping[str, Recipe] = {
    "nas_bench_nlp_1": {
        "node_0": ("linear", ["h_prev_1", "h_prev_0"]),
        "node_1": ("activation_tanh", ["node_0"]),
        "node_2": ("linear", ["x", "h_prev_0"]),
        "node_3": ("activation_tanh", ["node_2"]),
        "node_4": ("linear", ["node_3", "node_1"]),
        "node_11": ("linear", ["node_1", "x"]),
        "node_12": ("activation_sigm", ["node_11"]),
        "h_new_1": ("blend", ["node_4", "node_3", "node_0"]),
        "h_new_0": ("elementwise_prod", ["node_12", "h_new_1"]),
    },
    "nas_bench_nlp_2": {
        "node_0": ("linear", ["h_prev_1", "h_prev_0", "x"]),
        "node_1": ("activation_sigm", ["node_0"]),
        "node_2": ("elementwise_sum", ["node_0", "node_1"]),
        "node_4": ("linear", ["x", "h_prev_0"]),
        "node_5": ("activation_leaky_relu", ["node_4"]),
        "node_6": ("linear", ["h_prev_1", "x"]),
        "node_7": ("activation_leaky_relu", ["node_6"]),
        "node_8": ("linear", ["x", "h_prev_0"]),
        "node_9": ("activation_sigm", ["node_8"]),
        "h_new_0": ("elementwise_prod", ["node_9", "node_2"]),
        "h_new_1": ("linear", ["node_7", "node_5"]),
    },
    "nas_bench_nlp_3": {
        "node_0": ("elementwise_prod", ["h_prev_1", "h_prev_0"]),
        "node_1": ("linear", ["h_prev_1", "x"]),
        "node_2": ("activation_sigm", ["node_1"]),
        "node_4": ("linear", ["h_prev_1", "node_2"]),
        "node_5": ("activation_tanh", ["node_4"]),
        "node_8": ("linear", ["node_5", "x"]),
        "h_new_0": ("blend", ["node_5", "node_0", "node_2"]),
        "h_new_1": ("activation_tanh", ["node_8"]),
    },
}
"""As published by NAS-Bench-NLP (Klyuchnikov et al. 2020), in an order in which each reads what stands before it."""
OWN_NAMES: Mapping[str, Mapping[str, str]] = {
    "nas_bench_nlp_1": {
        "node_0": "a",
        "node_1": "b",
        "node_2": "d",
        "node_3": "d",
        "node_4": "e",
        "node_11": "h",
    },
    "nas_bench_nlp_2": {
        "node_0": "a",
        "node_4": "d",
        "node_5": "d",
        "node_6": "e",
        "node_7": "e",
        "node_8": "o",
        "h_new_1": "c",
    },
    "nas_bench_nlp_3": {"node_1": "a", "node_2": "a", "node_4": "b", "node_5": "b", "node_8": "c"},
}
"""What our equations call the nodes that own weights and those that these read."""
PUBLISHED_PARAMETERS = {"nas_bench_nlp_1": 10976400, "nas_bench_nlp_2": 13538000, "nas_bench_nlp_3": 9214800}
"""Of the whole model: three layers of 600, 600 and 400 units, and a tied embedding of 10,000 words with a bias."""


def recipe(name: str) -> Callable[[Weights, Tensor, Tensor, Tensor], State]:
    """Return the step of a recipe."""
    names = {"x": "x", "h_prev_0": "h", "h_prev_1": "c", **OWN_NAMES[name]}

    def step(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
        values = {"x": x, "h_prev_0": h, "h_prev_1": c}
        for node, (op, inputs) in RECIPES[name].items():
            read = [values[i] for i in inputs]
            match op:
                case "linear":
                    values[node] = w.affine(names[node], {names[i]: values[i] for i in inputs})
                case "blend":
                    values[node] = read[0] * read[1] + (1 - read[0]) * read[2]
                case "elementwise_prod":
                    values[node] = read[0] * read[1]
                case "elementwise_sum":
                    values[node] = read[0] + read[1]
                case "activation_tanh":
                    values[node] = tanh(read[0])
                case "activation_sigm":
                    values[node] = sigmoid(read[0])
                case "activation_leaky_relu":
                    values[node] = torch.where(read[0] > 0, read[0], 0.01 * read[0])
        return values["h_new_0"], values["h_new_1"]

    step.__name__ = name
    return step


STEPS = (
    nascell,
    enas,
    darts(DARTS_V1, "darts_v1"),
    darts(DARTS_V2, "darts_v2"),
    *(recipe(name) for name in RECIPES),
)
