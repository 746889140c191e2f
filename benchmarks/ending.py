"""How often the rule of ending keeps its promise: on curves whose future is known, from a + b t^-c with noise.

    python benchmarks/ending.py
    python benchmarks/ending.py --curves 1000

For each exponent c and each noise (its deviation as a share of the margin) it says of how many curves the rule found an
end within 1,000 epochs, after how many epochs (median), and for which share of those the clean curve then gains less
than half of the margin in twice the training. The last rows have curves that turn up again at their 60th epoch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from nas_rnn.training.ending import end_of

MARGIN = 0.01
LENGTH, FUTURE = 1000, 2000
EXPONENTS = (0.2, 0.3, 0.5, 0.7, 1.0)
NOISES = (0.0, 0.1, 0.3, 1.0)


def clean_curve(rng: np.random.Generator, exponent: float, turns: bool) -> np.ndarray:
    """Return (FUTURE,) losses that end at 1; those that turn rise again from epoch 60 on."""
    epoch = np.arange(1, FUTURE + 1)
    rising = 0.02 * np.maximum(0, epoch / 60 - 1) ** 1.5 if turns else 0.0
    return 1.0 + rng.uniform(0.5, 3.0) * epoch**-exponent + rising


def rows(curves: int) -> Iterator[tuple[object, ...]]:
    for turns in (False, True):
        for exponent in EXPONENTS[-2:] if turns else EXPONENTS:
            for noise in NOISES:
                rng = np.random.default_rng(0)
                ends, kept, why = [], [], []
                for _ in range(curves):
                    clean = clean_curve(rng, exponent, turns)
                    seen = clean[:LENGTH] + rng.normal(0.0, noise * MARGIN, LENGTH)
                    end = end_of(list(seen), lambda loss: MARGIN * abs(loss))
                    if end is not None:
                        gained = clean[end.epoch - 1] - clean[end.epoch - 1 : 2 * end.epoch].min()
                        ends.append(end.epoch)
                        kept.append(gained < MARGIN / 2 * clean[end.epoch - 1])
                        why.append(end.why == "overfitted")
                yield (
                    f"{exponent}{', turns up' if turns else ''}",
                    noise,
                    f"{len(ends) / curves:.0%}",
                    f"{np.median(ends):.0f}" if ends else "",
                    f"{np.mean(kept):.0%}" if kept else "",
                    f"{np.mean(why):.0%}" if why else "",
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--curves", type=int, default=100, help="for each row; default: 100")
    print("| c | noise / margin | ended | median epoch | promise kept | as overfitted |")
    print("|---|---|---|---|---|---|")
    for row in rows(parser.parse_args().curves):
        print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
