"""A search space of your own in one file, and a search in it.

    python examples/plugin_space.py
    nas-rnn search --plugins examples --space two_paces          # the same from the shell, with the usual budget
    nas-rnn check examples/plugin_space.py                       # whether the space keeps the rules

The function below is the whole plugin. Its file goes to the workers as text, so it needs nothing else around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nas_rnn
from nas_rnn import linear, relu, search_space, sigmoid, tanh


@search_space
def two_paces(choose, x, h, slow):
    """A vanilla RNN that may keep a second state, which changes slowly."""
    act = choose("activation", [tanh, relu])
    if choose("states", ["one", "two"]) == "one":
        return act(linear(x, h)), None  # this candidate has no state path `slow`
    # A gate that starts at sigmoid(3) = 0.95 keeps most of the slow state at each step.
    keep = sigmoid(linear(x, h, bias=choose("keep", [1.0, 3.0], given="states=two")))
    slow = keep * slow + (1 - keep) * tanh(linear(x, h))
    return act(linear(x, h, slow)), slow


TINY = {"trials": 4, "epochs": 2, "params": 5000, "seeds": 2, "tune": 0, "controls": "none", "workers": 2}


def main(**options: Any) -> nas_rnn.experiment.Result:
    """Search the space; ``options`` are those of `nas_rnn.search` and go before `TINY`."""
    for seed in range(3):
        candidate = two_paces.sample(seed)
        print(f"{candidate!r}\n{candidate.cell}\n")
    here = Path(__file__).resolve().parent
    result = nas_rnn.search(**{**TINY, "plugins": (here,), "space": two_paces.name, **options})
    print(result.verdict or f"{result.status}: no verdict yet")
    return result


if __name__ == "__main__":
    main()
