"""How few trainings each strategy needs, on cells whose results are known.

    python benchmarks/search_efficiency.py --pool FILE --evaluations 100 --seeds 20 --json OUT.json --picture OUT.svg
    python benchmarks/search_efficiency.py --table --evaluations 100 --seeds 50 --json OUT.json

``--pool`` takes recipes of NAS-Bench-NLP with the ``test_loss`` of each training run (nats a word; null: diverged), a
JSON object a line. A cell's result is its mean test perplexity, a diverged run counting as 1,800. ``--table`` takes the
project's own table (docs/cell_table.md): bits per character on validation.

Every strategy that is registered runs beside random search, and beside plain Optuna and NePS where they are installed
(``pip install neural-pipeline-search``; only this benchmark uses it). For each are written ``best_at`` and ``top10_at``
(the mean of the ten best found) after numbers of evaluations: the median over seeds, its 95 % interval, quartiles.
A cell counts as one evaluation; a strategy hears its result as a search would tell it, None where it diverged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cell_table import CellTable
from efficiency.peers import PEERS, installed_peers
from efficiency.picture import draw
from efficiency.problems import Problem, pool_problem, table_problem
from efficiency.searching import Maker, Searches, evaluations_for, joined, result, search
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nas_rnn import plugins
from nas_rnn.errors import UserError
from nas_rnn.strategies import Strategy

PLACES = (10, 25, 50, 75, 100, 150, 200, 300, 400, 1000)
RANDOM = "random"
RANDOM_EVALUATIONS = 1000
"""Random search goes on so far, or through the whole space, to tell how many evaluations of its a strategy saves."""


def main() -> int:
    options = _parse()
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        problem = _problem(options)
        makers = _makers(options.strategies, problem)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    found: dict[str, Searches] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(makers) * options.seeds)
        for name, make in makers.items():
            progress.update(task, description=name)
            most = len(problem.truth)
            count = min(most, RANDOM_EVALUATIONS if name == RANDOM else options.evaluations)
            searches = []
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                searches.append(search(make, problem, count, seed, options.parallel))
                progress.advance(task)
            found[name] = joined(searches)
            if options.json is not None:
                _write(options.json, _told(options, problem, found))
    told = _told(options, problem, found)
    _print(console, told)
    if options.picture is not None:
        draw(options.picture, problem, found, options.evaluations)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pool", type=Path, metavar="FILE", help="recipes with results, .jsonl or .jsonl.gz")
    source.add_argument("--table", action="store_true", help="the project's own table of cells")
    parser.add_argument(
        "--half", choices=("A", "B"), default="", help="one half of the pool alone, divided at random"
    )
    parser.add_argument("--evaluations", type=_count, default=100, help="of each search (default: 100)")
    parser.add_argument("--seeds", type=_count, default=20, help="searches of each strategy (default: 20)")
    parser.add_argument("--first-seed", type=int, default=0, help="of the searches (default: 0)")
    parser.add_argument(
        "--parallel", type=_count, default=1, help="candidates under way at once (default: 1)"
    )
    parser.add_argument("--strategies", default="", help="which, with commas (default: all, and peers)")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--picture", type=Path, help="file for the curves, .svg or .png")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on, not {text}")
    return number


def _problem(options: argparse.Namespace) -> Problem:
    if options.table:
        return table_problem(CellTable.load())
    return pool_problem(options.pool, options.half)


def _makers(names: str, problem: Problem) -> dict[str, Maker]:
    """Return the strategies to run, random search first; `UserError` for unknown names."""
    registry = plugins.registry()
    registered = {name: registry.find("strategy", name).value for name in registry.names("strategy")}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    peers = installed_peers()
    for name in wanted:
        if name in PEERS and name not in peers:
            raise UserError(f"{name} is not installed; pip install {PEERS[name][0]}")
        if name not in registered and name not in peers:
            raise UserError(f"no strategy {name!r}; there are {', '.join([*registered, *PEERS])}")
    makers: dict[str, Maker] = {}
    for name in dict.fromkeys([RANDOM, *(wanted or [*registered, *peers])]):
        if name in peers:
            makers[name] = peers[name]
            continue
        try:
            registered[name](problem.space, 0)
        except UserError:  # it cannot search this space
            if wanted:
                raise
        else:
            makers[name] = _maker(registered[name])
    return makers


def _maker(kind: type[Strategy]) -> Maker:
    return lambda problem, seed: kind(problem.space, seed)


def _told(options: argparse.Namespace, problem: Problem, found: dict[str, Searches]) -> dict[str, Any]:
    places = sorted({place for place in PLACES if place <= options.evaluations} | {options.evaluations})
    random = found[RANDOM]
    told: dict[str, Any] = {
        "problem": problem.name,
        "unit": problem.unit,
        "cells": len(problem.truth),
        "best_ten_of_all": round(problem.best, 4),
        "evaluations": options.evaluations,
        "seeds": options.seeds,
        "first_seed": options.first_seed,
        "parallel": options.parallel,
        "strategies": {},
    }
    for name, searches in found.items():
        count = searches.found.shape[1]
        here = [place for place in (PLACES if name == RANDOM else places) if place <= count]
        one = result(searches, sorted({*here, *(place for place in places if place <= count)}))
        reached = float(_median(searches)[min(options.evaluations, count) - 1])
        needed = evaluations_for(_median(random), reached)
        one["random_search_needs"] = needed
        told["strategies"][name] = one
    return told


def _median(searches: Searches) -> Any:
    return np.median(searches.top(), axis=0)


def _print(console: Console, told: dict[str, Any]) -> None:
    place = str(min(told["evaluations"], told["cells"]))
    table = Table(
        title=f"{told['problem']}: {told['cells']} cells, the ten best of all {_shown(told['best_ten_of_all'])}; "
        f"{told['unit']} after {place} evaluations, median of {told['seeds']} searches",
        title_justify="left",
    )
    for heading in ("strategy", "best", "mean of ten best", "95 % interval", "random needs", "s a choice"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    ranked: Sequence[tuple[str, Any]] = sorted(
        told["strategies"].items(), key=lambda item: item[1]["top10_at"][place]["median"]
    )
    for name, one in ranked:
        best, top = one["best_at"][place], one["top10_at"][place]
        needed = one["random_search_needs"]
        ratio = (
            f"more than {RANDOM_EVALUATIONS}" if needed is None else f"{needed} ({needed / int(place):.1f}x)"
        )
        table.add_row(
            name,
            _shown(best["median"]),
            _shown(top["median"]),
            f"{_shown(top['low'])} to {_shown(top['high'])}",
            ratio,
            f"{one['seconds_per_choice']:.3f}",
        )
    console.print(table)


def _shown(value: float) -> str:
    """Return a figure with five digits."""
    return f"{value:.2f}" if value >= 50 else f"{value:.4f}"


def _write(path: Path, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
