"""How fast cells train: ours against torch's layers, the naive module and others, interleaved in one process.

    python benchmarks/cell_speed.py --set twins --threads 1,2 --json twins.json

A figure is the time of a training step (forwards and backwards, float32, with the gradients of the input and of
all weights) of one layer; a ratio is the median, over rounds in which all take turns, of our time over the
peer's. So 0.5 is twice as fast. Peers:

    nn.LSTM, nn.GRU, nn.RNN  torch's layer: with the same weights in the set twins, of the same size in linear
    torchrecurrent           the package's layer of this cell and size, in the set of that name
    eager                    RNN(..., backend="eager"): products with the input hoisted, torch's functions
    naive                    one nn.Linear a product and step, torch's functions (speed/naive.py)
    compile                  torch.compile of the naive module; only with --compile, it takes a minute a cell
    products                 the cell's own matrix products and nothing else (speed/bound.py)

The sets twins, gated, chains, linear and torchrecurrent hold such figures. first-step has, in fresh processes, the
seconds from a cell to the end of its first step beside a later step, with an empty cache ("cold"), with the shared
products compiled before ("new") and with the cell seen before ("cached"). memory compares what a step adds to the peak.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from speed.cases import RANDOM_CELLS, SETS, cases, never_seen
from speed.fresh import first_step_rows, memory_rows
from speed.rows import Row, print_rows, print_summary
from speed.timing import Effort, measure

ALL = (*SETS, "first-step", "memory")


def main() -> None:
    options = _parse()
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows: list[Row] = []
    try:
        for row in _measure(options, console):
            rows.append(row)
            if options.json is not None:
                _write(options.json, rows)
    except KeyboardInterrupt:
        console.print("interrupted; what was measured so far:")
    print_rows(rows, console)
    print_summary(rows, console)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", default="all", help=f"which, with commas: {', '.join(ALL)} or all")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas (default: 1,2)")
    parser.add_argument("--rounds", type=int, default=15, help="most rounds of a case (default: 15)")
    parser.add_argument("--seconds", type=float, default=20.0, help="longest that they take (default: 20)")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes of each kind (default: 3)")
    parser.add_argument("--random-cells", type=int, default=RANDOM_CELLS, help="cells of the set gated")
    parser.add_argument("--cells", default="", help="only cells whose names begin so, with commas")
    parser.add_argument("--compile", action="store_true", help="also torch.compile of the naive module")
    parser.add_argument("--json", type=Path, help="write the rows here, as a list")
    options = parser.parse_args()
    options.set = ALL if options.set == "all" else tuple(options.set.split(","))
    unknown = [name for name in options.set if name not in ALL]
    if unknown:
        parser.error(f"unknown set {unknown[0]!r}; known: all, {', '.join(ALL)}")
    try:
        options.threads = tuple(int(number) for number in options.threads.split(","))
    except ValueError:
        parser.error(f"--threads takes numbers with commas, such as 1,2; got {options.threads!r}")
    if min(options.threads) < 1 or options.rounds < 1 or options.repeats < 1:
        parser.error("--threads, --rounds and --repeats are at least 1")
    return options


def _measure(options: argparse.Namespace, console: Console) -> Iterator[Row]:
    effort = Effort(options.rounds, options.seconds)
    for name in options.set:
        for threads in options.threads:
            if name == "first-step":
                yield from first_step_rows(never_seen(), threads, options.repeats)
            elif name == "memory":
                yield from memory_rows(threads, options.repeats)
            else:
                wanted = tuple(options.cells.split(","))
                chosen = [c for c in cases(name, options.random_cells) if c.cell.name.startswith(wanted)]
                label = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
                for case in track(chosen, label, console=console, disable=not console.is_terminal):
                    yield from measure(case, threads, effort, options.compile)


def _write(path: Path, rows: list[Row]) -> None:
    """Write all rows whole: a run that is cut short leaves those before it."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps([row.to_dict() for row in rows], indent=1) + "\n")
    temporary.replace(path)


if __name__ == "__main__":
    main()
