"""Proposes cells from outside: mutations of the best cell so far, each measured against it on validation data.

    python examples/propose_mutations.py            # three, on the beginning of the embedded text
    python examples/propose_mutations.py 20         # as many as that; what was evaluated before is not trained again

A mutation here swaps one word of the cell's text for another, as a script in any language could.
"""

from __future__ import annotations

import random
import re
import sys
from typing import Any

import nas_rnn

WORDS = ("sigmoid", "tanh", "relu", "softplus", "identity")


def mutated(text: str, name: str, rng: random.Random) -> str:
    """Return the text under another name, with one of its functions replaced by another."""
    text = re.sub(r"def \w+", f"def {name}", text, count=1)
    place = rng.choice([found for found in re.finditer(r"\b\w+\b", text) if found[0] in WORDS])
    other = rng.choice([word for word in WORDS if word != place[0]])
    return text[: place.start()] + other + text[place.end() :]


def main(proposals: int = 3, study: str = "mutations", **options: Any) -> nas_rnn.OutsideStudy:
    small = {"task_options": {"characters": 20_000}, "params": 10_000, "learning_rate": 0.02, "epochs": 10}
    found = nas_rnn.OutsideStudy.open(study, say=print, **{**small, **options})
    rng = random.Random(0)
    for number in range(proposals):
        feedback = found.evaluate(mutated(found.incumbent.to_text(), f"mutation_{number}", rng))
        print(*feedback.words, sep="\n", end="\n\n")
    print(f"The best so far: {found.incumbent}")
    return found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
