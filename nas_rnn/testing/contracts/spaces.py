"""What `check_space` leaves out: that changed candidates are sound too, and that one trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from nas_rnn.cells import Cell
from nas_rnn.cells.verify import violations
from nas_rnn.errors import located
from nas_rnn.spaces import Candidate, Space
from nas_rnn.testing.contracts.cells import train_briefly

CHANGES = 50


def check_changes(space: Space) -> list[str]:
    """Return what is wrong with candidates mutated and crossed over, where ``space`` offers that."""
    rng = np.random.default_rng(0)
    counts: Counter[str] = Counter()
    for seed in range(CHANGES):
        for word in ("mutate", "crossover"):
            change = getattr(space, word, None)
            try:
                problems = [] if change is None else _changed(space, change, word, seed, rng)
            except Exception as error:
                problems = [f"{word}: {located(error)}"]
            counts.update(problems)
    return [f"{problem} ({count} of {CHANGES} tried)" for problem, count in counts.items()]


def _changed(
    space: Space, change: Callable[..., Any], word: str, seed: int, rng: np.random.Generator
) -> list[str]:
    parents = [space.sample(number) for number in (seed, seed + 1)][: 1 if word == "mutate" else 2]
    on_decisions = parents[0].decisions is not None
    child = change(*(parent if on_decisions else parent.cell for parent in parents), rng)
    if not (isinstance(child, Candidate) if on_decisions else isinstance(child, Cell)):
        return [f"{word} gives a {type(child).__name__}, not a {'Candidate' if on_decisions else 'Cell'}"]
    cell: Cell = child.cell if on_decisions else child
    problems = [f"{word}: {' '.join(text.split())}" for text in violations(cell)]
    replay = getattr(space, "replay", None)
    if not problems and on_decisions and replay and replay(child.decisions).digest != child.digest:
        problems.append(f"{word} gives decisions that replay as another candidate")
    return problems


def check_one_trains(space: Space) -> list[str]:
    """Return whether the first candidate cannot be trained."""
    try:
        return train_briefly(space.sample(0).cell)
    except Exception as error:
        return [f"training its first sample: {located(error)}"]
