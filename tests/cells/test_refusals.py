"""What Python offers and the cell language does not have: each says so, and what to write instead."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nas_rnn.cells import CellError, cell, diagonal, layer_norm, linear, project, scalar, state, trace_cell
from nas_rnn.cells.graph.operations import maximum, tanh
from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.errors import UserError


class TorchLike:
    """Calls what torch calls when a function of it meets something that is not a tensor."""

    __name__ = "tanh"

    def __call__(self, value: Any) -> Any:
        return type(value).__torch_function__(self, (type(value),), (value,), {})


STEER = "asking whether a value is true is not part of the cell language"
COMPARE = "use maximum(a, b) or minimum(a, b)"
PARTS = "equations are elementwise over all units"
NUMBER = "use the language's tanh, sigmoid, exp"
REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "if": (lambda x, h: h if h else x, STEER),
    "and": (lambda x, h: h and x, STEER),
    "not": (lambda x, h: not h, STEER),
    "while": (lambda x, h: [h for _ in iter(lambda: bool(h), False)], STEER),
    "greater": (lambda x, h: h > 0, COMPARE),
    "less": (lambda x, h: h > 0, COMPARE),
    "at most": (lambda x, h: h <= x, COMPARE),
    "equal": (lambda x, h: h == x, COMPARE),
    "unequal": (lambda x, h: h != 0, COMPARE),
    "max": (lambda x, h: max(h, x), COMPARE),
    "sorted": (lambda x, h: sorted([h, x]), COMPARE),
    "power": (lambda x, h: h**2, "a power (**) is not part of the cell language; write the product a * a"),
    "power of a number": (lambda x, h: 2**h, "write the product"),
    "pow": (lambda x, h: pow(h, 2, 3), "write the product"),
    "matrix product": (lambda x, h: h @ x, "linear(a, b) has the learned matrices"),
    "modulo": (lambda x, h: h % 2, "use /"),
    "whole division": (lambda x, h: 2 // h, "use /"),
    "divmod": (lambda x, h: divmod(h, x), "use /"),
    "bits": (lambda x, h: h & x, "a bit operator"),
    "invert": (lambda x, h: ~h, "a bit operator"),
    "shift": (lambda x, h: 1 << h, "a bit operator"),
    "abs": (lambda x, h: abs(h), "write maximum(a, -a)"),
    "plus": (lambda x, h: +h, "leave it out"),
    "round": (lambda x, h: round(h), NUMBER),
    "float": (lambda x, h: float(h), NUMBER),
    "int": (lambda x, h: int(h), NUMBER),
    "range": (lambda x, h: [x for _ in range(h)], NUMBER),
    "index": (lambda x, h: [x, h][h], NUMBER),
    "math": (lambda x, h: math.tanh(h), NUMBER),
    "ceil": (lambda x, h: math.ceil(h), NUMBER),
    "numpy": (lambda x, h: np.tanh(h), "numpy's tanh is not part of the cell language"),
    "numpy of two": (lambda x, h: np.maximum(h, 0.0), "numpy's maximum is not part"),
    "numpy array": (lambda x, h: np.asarray(h), "turning a value into a numpy array"),
    "array times value": (lambda x, h: np.ones(3) * h, "numpy's multiply is not part"),
    "value times array": (lambda x, h: h * np.ones(3), "mul takes values of the cell or numbers, not array"),
    "torch": (lambda x, h: TorchLike()(h), "torch's tanh is not part of the cell language"),
    "loop": (lambda x, h: [a + x for a in h], PARTS),
    "unpacking": (lambda x, h: (lambda a, b: a)(*h), PARTS),
    "subscript": (lambda x, h: h[0], PARTS),
    "assigning a part": (lambda x, h: operator.setitem(h, 0, x), PARTS),
    "len": (lambda x, h: len(h), PARTS),
    "in": (lambda x, h: 0 in h, PARTS),
    "reversed": (lambda x, h: list(reversed(h)), PARTS),
    "calling": (lambda x, h: h(x), "a product is written a * b"),
    "method": (lambda x, h: h.tanh(), "a value of a cell has no 'tanh'; operations are words, as in tanh(h)"),
    "text": (lambda x, h: h + "a", "add takes values of the cell or numbers, not 'a' (str)"),
    "nothing": (lambda x, h: h + None, "add takes values of the cell or numbers, not None"),
    "truth value": (lambda x, h: h * True, "mul takes values of the cell or numbers, not True"),
    "function": (lambda x, h: h * tanh, "mul takes values of the cell or numbers, not Operation"),
    "too many": (lambda x, h: tanh(h, h), "f: tanh takes 1 argument(s), not 2"),
    "too few": (lambda x, h: maximum(h), "f: maximum takes 2 argument(s), not 1"),
    "none at all": (lambda x, h: tanh(), "tanh(...) needs at least one value of the cell"),
    "empty linear": (lambda x, h: linear(), "f: linear(...) takes at least one value"),
    "linear of text": (lambda x, h: linear("a"), "linear takes values of the cell or numbers, not 'a'"),
    "linear of a list": (lambda x, h: linear([x, h]), "linear takes values of the cell or numbers, not ["),
    "linear of a number": (lambda x, h: linear(1.0), "takes values with units, not a single number"),
    "bias": (lambda x, h: linear(h, bias="a"), "linear(bias=...) is a number or None, not 'a'"),
    "bias as a value": (lambda x, h: linear(h, bias=x), "is a number or None, not <value x of f>"),
    "heads": (lambda x, h: linear(h, heads=2.0), "linear(heads=...) is a whole number, not 2.0"),
    "learned number": (lambda x, h: scalar(h) * h, "scalar(init) takes a number, not <value h of f>"),
    "diagonal": (lambda x, h: diagonal(None), "diagonal takes values of the cell or numbers, not None"),
    "project": (lambda x, h: project(2), "takes a value with units, not a single number"),
    "layer_norm": (lambda x, h: layer_norm([h]), "layer_norm takes values of the cell or numbers, not ["),
    "sizes": (lambda x, h: x + h, "mixes values of input_size and hidden_size; use project(...)"),
    "no return": (lambda x, h: None, "f: returns nothing; a cell ends with `return` and the next states"),
    "two for one": (lambda x, h: (h, h), "returns 2 value(s) for 1 state path(s) (h)"),
    "a list": (
        lambda x, h: [h],
        "the next value of h takes values of the cell or numbers, not [<value",
    ),
    "a number": (lambda x, h: 1.0, "the next value of state path 'h' must have hidden_size, not one number"),
    "the input": (lambda x, h: x, "the next value of state path 'h' must have hidden_size, not input_size"),
    "a cell": (lambda x, h: lstm(x, h, h), "lstm is a cell, and a cell has no cells inside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_part_of_the_language_says_so(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UserError) as caught:
        trace_cell(function, "f")
    assert message in str(caught.value)


def bad_default(x: Any, h: Any = 0.0) -> Any:
    return linear(x, h)


def with_input_default(x: Any = None, h: Any = state()) -> Any:  # noqa: B008
    return linear(x, h)


SIGNATURES: dict[str, tuple[Callable[..., Any], str]] = {
    "no state": (lambda x: x, "takes the input and at least one state path"),
    "nothing": (lambda: None, "takes the input and at least one state path"),
    "*args": (lambda *x: x, "by position, not *x"),
    "*args after the input": (lambda x, *h: x, "by position, not *h"),
    "keyword only": (lambda x, *, h: x, "by position, not h"),
    "default": (bad_default, "the default of the state path 'h' must be state(...), not 0.0"),
    "input default": (with_input_default, "the input 'x' has no default"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_that_are_no_cells(name: str) -> None:
    function, message = SIGNATURES[name]
    with pytest.raises(CellError) as caught:
        trace_cell(function, "f")
    assert message in str(caught.value)


@pytest.mark.parametrize("thing", [lstm, 3, int, print])
def test_only_a_function_is_decorated(thing: Any) -> None:
    with pytest.raises(CellError, match="@cell stands before a function"):
        cell(thing)
