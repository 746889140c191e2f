"""Whether the kernels for GPUs are right on this one, how fast they are, and how candidates share it.

    python benchmarks/gpu_check.py --json gpu_check.json

One command of at most 8 minutes (--seconds) on one GPU; it installs nothing. In this order, each within its part of the
time:

    parity    cells in each way through time, products of float32 and bfloat16, lengths and restarts, each twice:
              outputs, states and all gradients against the reference in double precision on the CPU
    times     training steps of a layer (T, B, input, hidden) = (35..1024, 64, 64, 128..1024), and the memory they add:
              ours in each way, nn.LSTM and nn.GRU (on a GPU cuDNN's), eager, naive; TorchRL's and FlashRNN's kernels
              where installed; torch.compile and what compiles CUDA last, as they take a minute. The ratio is that to
              nn.LSTM or nn.GRU of the same exactness, or to eager
    together  candidates at once on the one GPU, against one after the other

What there was no time for is listed. The file holds all rows, and is written after each. Exit code 0, 1 where a result
is wrong, 2 without a GPU, 4 where something did not come back in time. --interpreter runs all of it in small, on the
CPU in Triton's interpreter: its times say nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

PARITY, TIMES = 0.4, 0.82
"""By which part of the time parity and times have ended."""
SHAPES = (
    (35, 64, 64, 128),
    (35, 64, 64, 512),
    (256, 64, 64, 256),
    (1024, 64, 64, 128),
    (35, 64, 64, 256),
    (35, 64, 64, 1024),
    (256, 64, 64, 1024),
    (1024, 64, 64, 1024),
)
CELLS = ("lstm", "gru", "nascell", "mingru")


def main() -> int:
    options = _parse()
    if options.interpreter:
        os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported
    import torch

    if not options.interpreter and not torch.cuda.is_available():
        print(
            "no GPU: torch sees none, so nothing was measured (--interpreter runs this in small without one)",
            file=sys.stderr,
        )
        return 2
    device = torch.device("cpu" if options.interpreter else "cuda")
    if options.work:
        _work(options, device)
        return 0
    return _check(options, device)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=480.0, help="how long it may take (default: 480)")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument(
        "--interpreter", action="store_true", help="in small, in Triton's interpreter on the CPU"
    )
    parser.add_argument("--only", default="parity,times,together", help="which parts, with commas")
    parser.add_argument("--together", default="1,2,4", help="how many candidates at once (default: 1,2,4)")
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.together = [int(count) for count in options.together.split(",")]
    return options


def _work(options: argparse.Namespace, device: object) -> None:
    from gpu.together import work
    from speed.rows import Shape

    shape, steps = (Shape(2, 2, 3, 4), 2) if options.interpreter else (Shape(35, 64, 64, 256), 200)
    work(options.work, shape, steps, device)  # type: ignore[arg-type]


def _check(options: argparse.Namespace, device: object) -> int:
    from gpu.figures import Figures, end_in_time, show
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    figures = Figures(options.seconds, options.json, _machine(options.interpreter))
    clock = end_in_time(figures, console)
    if "parity" in options.only:
        _parity(figures, device, options.interpreter)
    if "times" in options.only:
        _times(figures, device, options.interpreter)
    if "together" in options.only:
        _together(figures, options)
    clock.cancel()
    figures.write()
    show(figures, console)
    return 1 if figures.failures() else 0


def _machine(interpreted: bool) -> dict[str, str]:
    import torch
    import triton
    from gpu.contenders import is_installed

    about = {"torch": torch.__version__, "triton": triton.__version__, "cuda": str(torch.version.cuda)}
    about["cudnn"] = str(torch.backends.cudnn.version())
    missing = [package for package in ("torchrl", "flashrnn") if not is_installed(package)]
    about["not installed"] = ", ".join(missing) or "-"
    if interpreted:
        return {"device": "Triton's interpreter on the CPU, not a GPU", **about}
    found = torch.cuda.get_device_properties(0)
    memory = f"{found.total_memory / 2**30:.0f} GiB"
    multi = f"{found.multi_processor_count} multiprocessors"
    capability = f"sm_{found.major}{found.minor}"
    return {"device": f"{found.name} ({capability}, {memory}, {multi})", **about}


def _parity(figures: object, device: object, small: bool) -> None:
    from gpu.figures import Figures
    from gpu.parity import CELLS as TELLING
    from gpu.parity import answer, parity_cells, questions

    assert isinstance(figures, Figures)
    cells = parity_cells(("lstm", "mingru"), 0) if small else parity_cells(TELLING, 20)
    for number, question in enumerate(questions(cells, small)):
        if figures.left() < figures.seconds * (1 - PARITY):
            figures.leave_out(f"parity from {question.cell.name} ({question.loop}) on")
            return
        figures.add("parity", answer(question, device, number))  # type: ignore[arg-type]


def _times(figures: object, device: object, small: bool) -> None:
    from gpu.contenders import contenders
    from gpu.figures import Figures
    from gpu.timing import measured
    from speed.rows import Shape

    assert isinstance(figures, Figures)
    shapes = ((2, 2, 3, 4),) if small else SHAPES
    cells = ("lstm",) if small else CELLS
    cases = [
        (name, Shape(*shape), contender)
        for shape in shapes
        for name in cells
        for contender in contenders(name, Shape(*shape), has_gpu=not small)
    ]
    cases.sort(key=lambda case: (case[2].slow, case[0] not in ("lstm", "nascell")))
    for name, shape, contender in cases:
        if figures.left() < figures.seconds * (1 - TIMES):
            figures.leave_out(f"times of {contender.name} for {name} at {tuple(shape)}")
        else:
            figures.add("times", measured(name, shape, contender, device, 0.01 if small else 0.5))  # type: ignore[arg-type]


def _together(figures: object, options: argparse.Namespace) -> None:
    from gpu.figures import SPARE, Figures
    from gpu.together import compared

    assert isinstance(figures, Figures)
    alone: dict[str, float] = {}
    given = ["--interpreter"] if options.interpreter else []
    for count in options.together:
        patience = figures.left() - SPARE
        if patience < (5 if options.interpreter else 20):
            figures.leave_out(f"{count} candidates together")
        else:
            figures.add("together", compared(Path(__file__).resolve(), given, count, alone, patience))


if __name__ == "__main__":
    sys.exit(main())
