"""Searches for a recurrent cell on a text of yours, and shows the best one with the verdict against the LSTM.

    python examples/search_your_text.py                                   # on a small text of its own
    python examples/search_your_text.py novel.txt --trials 24 --epochs 20 --params 60000 --seeds 5 --tune 8

The budget that it has by itself takes a minute or so and shows the way, not the truth: with few epochs and seeds the
verdict is mostly "undecided". `nas-rnn search --data novel.txt` does the same from the shell.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nas_rnn

SENTENCES = (
    "the gate opens and the cell learns. ",
    "the gate closes and the cell forgets. ",
    "time goes by. ",
)


def own_text(folder: Path) -> Path:
    """Write a small text with some structure: which sentence follows hangs on the two before."""
    order = [0, 1]
    while len(order) < 1000:
        order.append((2 * order[-1] + order[-2] + len(order) % 5 // 4) % 3)
    path = folder / "text.txt"
    path.write_text("".join(SENTENCES[number] for number in order), encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> nas_rnn.experiment.Result:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", nargs="?", type=Path, help="a UTF-8 text file")
    defaults = {"trials": 4, "epochs": 2, "params": 5000, "seeds": 2, "tune": 0, "workers": 2}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--controls", default="none", help="all, mean or none (default)")
    parser.add_argument("--runs", default="runs", help="the folder that keeps all results (default runs)")
    given = parser.parse_args(arguments)
    options = {name: value for name, value in vars(given).items() if name not in ("text", "runs")}
    with tempfile.TemporaryDirectory() as folder:
        data = given.text or own_text(Path(folder))
        result = nas_rnn.search(data=data, runs=given.runs, batch=16, length=32, **options)
    if result.best is not None:
        print(result.best.equations)
    print(result.verdict or f"{result.status}: no verdict yet")
    print(f"All of it: {result.folder}/report.html")
    return result


if __name__ == "__main__":
    main()
