"""``search`` and ``compare``: what is asked for arrives, progress is told, the result comes out."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import nas_rnn
from nas_rnn.cli.lines import ended_line, started_line
from nas_rnn.cli.results import print_result
from nas_rnn.run_folder.config import SMOKE_WARNING
from nas_rnn.tasks import LOSS, Mean, Measures
from tests.cli.conftest import (
    MEASURES,
    RESULT,
    STARTED,
    FakeRun,
    Run,
    comparison,
    contender,
    ended,
    standing,
)

GOLDEN = """\
Search first: task char-lm (bits_per_char, in bits per character, lower is better), space gated, 3 trials, \
60,000 parameters, 2 runs at a time; in runs/first
Search: every candidate is trained for a while, beside the LSTM (4 runs)
  lstm finished, 2.400
  [1/4] gated-aaaa stopped early, 2.600, 4.0 % worse than the LSTM at this epoch
  [2/4] gated-bbbb finished, 2.341, 2.5 % better than the LSTM
  [3/4] gated-cccc diverged, loss is nan at step 3
  [4/4] gated-[red]d seen before, 2.400, equal to the LSTM
Note: [bold]the search space is exhausted
Final: all cells on the same fresh seeds; each run reads the test data once (4 runs, 1 already done)
"""

GOLDEN_END = """\

╭───────── gated-3f2a ─────────╮
│ hₜ = tanh(W xₜ + U hₜ₋₁ + b) │
╰──────────────────────────────╯

On the test data, bits_per_char in bits per character:
cell        hidden size  parameters  mismatch      mean ± std        difference [95 %]  verdict
lstm                 96      60,123    +0.2 %  2.310 ± 0.0071                           baseline
gated-3f2a          101      59,876    -0.2 %  2.250 ± 0.0071  -0.060 [-0.090, -0.030]  better

`gated-3f2a` is better than the LSTM: 2.250 against 2.310.
Cost: 6 search and 10 final runs: 100.0 core-seconds.

Trials: 5 finished, 2 stopped early, 1 seen before, 1 failed
Time: 3 min 20 s
Folder: runs/first

Next:
  nas-rnn ui            every run and curve in the browser
  nas-rnn show first    the best cell: equations, costs, diagram
  nas-rnn sample first  a sample from its trained model
  nas-rnn export first  export its trained model
"""


def test_lines_where_there_is_no_terminal(run: Run, fake: FakeRun) -> None:
    """One line for each event that matters, then the result; no escape codes."""
    outcome = run("search", "--runs", "runs")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == GOLDEN + GOLDEN_END
    assert "\x1b" not in outcome.out


def test_the_first_line_tells_of_constraints() -> None:
    line = started_line(replace(STARTED, constraints=("products<=4", "lacks=exp")))
    assert ", space gated with products<=4 and lacks=exp, 3 trials" in line


ROUGE = Mean("rouge", "% overlap", "maximize", 1.0, "absolute", of="overlap")
OTHERS = Measures((ROUGE, *MEASURES.metrics), LOSS)
"""What decides is no mean of the loss, which steers the search."""


def test_the_first_line_tells_what_steers_where_something_else_decides() -> None:
    line = started_line(replace(STARTED, measures=OTHERS))
    assert (
        "task char-lm (rouge, in % overlap, higher is better; before the final loss, in nats, lower is better), "
        in line
    )


def test_validation_is_told_in_the_unit_of_what_steers(run: Run, fake: FakeRun) -> None:
    fake.result = replace(RESULT, status="interrupted", comparison=None, verdict=None, measures=OTHERS)
    outcome = run("search")
    assert "Best so far on validation data: 2.241 nats\n" in outcome.out
    assert "The LSTM on validation data: 2.300 nats\n" in outcome.out
    told = json.loads(run("search", "--json").out)
    assert (told["metric"], told["unit"]) == ("rouge", "% overlap")
    assert (told["monitor"], told["monitor_unit"]) == ("loss", "nats")


def test_a_line_tells_of_the_backend_only_where_it_fell_back() -> None:
    usual = ended_line(ended("gated-aaaa", backend="fused"))
    assert usual == "gated-aaaa finished, 2.400"
    fallen = ended("gated-aaaa", backend="eager", fallback="c++ failed:\nno space left")
    assert ended_line(fallen) == f"{usual}, ran on the eager backend, since c++ failed: no space left"


def test_json_leaves_stdout_to_the_result(run: Run, fake: FakeRun) -> None:
    outcome = run("search", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == json.loads(json.dumps(RESULT.to_dict()))
    assert outcome.err == GOLDEN


def test_every_option_of_a_search_arrives(run: Run, fake: FakeRun) -> None:
    """Under the configuration's names, as values of its types."""
    run(
        *(
            "search",
            "--task",
            "t",
            "--data",
            "d.txt",
            "--space",
            "s",
            "--strategy",
            "y",
            "--scheduler",
            "none",
        ),
        *("--trials", "7", "--time", "1h30m", "--epochs", "3", "--params", "5000", "--seeds", "2"),
        *("--workers", "4", "--plugins", "one", "--plugins", "two", "--name", "n", "--seed", "9"),
        *("--config", "c.toml", "--layers", "2", "--dropout", "0.5", "--batch", "8", "--length", "16"),
        *("--learning-rate", "1e-3", "--decay", "linear", "--clip", "0", "--threads", "2", "--device", "cpu"),
        *("--backend", "eager"),
        *("--task-option", "embedding=16", "--task-option", "rate=0.5", "--task-option", "on=true"),
        *("--task-option", "kind=a=b", "--runs", "here"),
        *("--constraint", "products<=4", "--constraint", "lacks=exp"),
    )
    assert fake.given == {
        "cells": (),
        "constraints": ("products<=4", "lacks=exp"),
        **{"task": "t", "data": Path("d.txt"), "space": "s", "strategy": "y", "scheduler": "none"},
        **{"trials": 7, "time": "1h30m", "epochs": 3, "params": 5000, "seeds": 2, "workers": 4},
        **{"plugins": (Path("one"), Path("two")), "name": "n", "seed": 9, "config": Path("c.toml")},
        **{"layers": 2, "dropout": 0.5, "batch": 8, "length": 16, "learning_rate": 0.001, "decay": "linear"},
        **{"clip": 0.0, "threads": 2, "device": "cpu", "backend": "eager", "runs": Path("here")},
        "task_options": {"embedding": "16", "rate": "0.5", "on": "true", "kind": "a=b"},
    }


def test_what_is_not_given_is_left_to_the_configuration(run: Run, fake: FakeRun, tmp_path: Path) -> None:
    run("search")
    assert fake.given == {"cells": (), "runs": tmp_path / "runs"}
    run("search", "--resume", "first")
    assert fake.given == {"cells": (), "runs": tmp_path / "runs", "resume": "first"}


def test_compare_gives_its_cells_and_baseline(run: Run, fake: FakeRun, tmp_path: Path) -> None:
    fake.result = replace(RESULT, kind="compare", best=None, trials={}, baseline=None)
    outcome = run("compare", "gru", "mine.cell", "--baseline", "rnn", "--epochs", "2")
    assert outcome.code == 0
    assert fake.given == {
        "cells": ("gru", "mine.cell"),
        "baseline": "rnn",
        "epochs": 2,
        "runs": tmp_path / "runs",
    }
    assert "better" in outcome.out
    assert "nas-rnn show" not in outcome.out


def test_ablate_prints_the_changes_the_greatest_loss_first(
    run: Run, fake: FakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = (contender("v1"), contender("v2", difference=0.2, ci95=(0.1, 0.3), verdict="worse"))
    changes = tuple({"name": name, "what": f"no {name} [b]"} for name in ("v1", "v2"))
    fake.result = replace(
        RESULT, kind="ablate", best=None, trials={}, comparison=comparison(*rows), ablation=changes
    )
    monkeypatch.setattr(nas_rnn, "ablate", fake, raising=False)
    outcome = run("ablate", "mine", "--elements", "gate,path", "--seeds", "3")
    assert outcome.code == 0
    given = {"cells": (), "what": "mine", "elements": ("gate", "path"), "seeds": 3, "runs": tmp_path / "runs"}
    assert fake.given == given
    lines = [line for line in outcome.out.splitlines() if line.startswith(("nothing: ", "no v"))]
    assert [line.split("  ")[0] for line in lines] == ["nothing: lstm", "no v2 [b]", "no v1 [b]"]
    fake.result = replace(fake.result, status="interrupted", comparison=None, ablation=None)
    outcome = run("ablate", "--resume", "first")
    assert outcome.code == 130 and "Resume it with: nas-rnn ablate --resume first" in outcome.out


def test_an_interrupted_search_says_how_to_go_on(run: Run, fake: FakeRun) -> None:
    fake.result = replace(RESULT, status="interrupted", comparison=None, verdict=None, name="my.search")
    outcome = run("search", "--runs", "other runs")
    assert outcome.code == 130
    assert "Resume it with: nas-rnn search --resume my.search --runs 'other runs'\n" in outcome.out
    assert "Best so far on validation data: 2.241 bits per character" in outcome.out
    assert "The LSTM on validation data: 2.300 bits per character" in outcome.out
    assert "No verdict" in outcome.out
    assert "Hidden size 101, 59,876 parameters" in outcome.out


def test_an_interrupted_search_gives_its_json_too(run: Run, fake: FakeRun) -> None:
    fake.result = replace(RESULT, status="interrupted", comparison=None, verdict=None, best=None)
    outcome = run("search", "--json")
    assert outcome.code == 130
    assert json.loads(outcome.out)["status"] == "interrupted"
    assert "nas-rnn search --resume first" in outcome.err


def test_a_search_in_which_nothing_worked(run: Run, fake: FakeRun) -> None:
    fake.result = replace(RESULT, comparison=None, verdict=None, best=None, baseline=None)
    outcome = run("search")
    assert outcome.code == 1
    assert "No verdict" in outcome.out
    assert "nas-rnn show" not in outcome.out


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        (
            contender(difference=None, ci95=None, relative_difference=None, verdict="undecided"),
            ["-  undecided"],
        ),
        (contender(ci95=None, verdict="undecided"), ["-0.06 "]),
        (contender(ci95=(-0.06, -0.06)), ["-0.060 [-0.060, -0.060]"]),
        (
            contender(standing=standing("x", mean=None, std=None, diverged=2)),
            ["2 of 5 diverged", "better (diverged)"],
        ),
        (
            contender(
                standing=standing("x", mean=None, std=None, diverged=2, control="random cells"),
                difference=None,
                ci95=None,
                verdict="worse",
            ),
            ["2 of 5 diverged", "-  worse (control, diverged)"],
        ),
        (
            contender(
                standing=standing(
                    "x", digest="", control="random cells", values=(2.0, 150.0, 1.98), mean=51.33, std=85.0
                )
            ),
            ["51.33 (1.980 to 150.0)"],
        ),
        (contender(standing=standing("x", mean=None, std=None)), [" - "]),
        (contender(standing=standing("x\x1b[31m\ny")), ["x [31m y"]),
        (contender(standing=standing("[red]x[/nothing]")), ["[red]x[/nothing]"]),
    ],
)
def test_rows_with_something_missing(run: Run, fake: FakeRun, row: object, texts: list[str]) -> None:
    fake.result = replace(RESULT, comparison=comparison(row))  # type: ignore[arg-type]
    outcome = run("search")
    assert outcome.code == 0, outcome.err
    for text in texts:
        assert text in outcome.out
    assert "\x1b" not in outcome.out


GOLDEN_NARROW = """\

╭───────── gated-3f2a ─────────╮
│ hₜ = tanh(W xₜ + U hₜ₋₁ + b) │
╰──────────────────────────────╯

On the test data, bits_per_char in bits
per character:
lstm: baseline
  hidden size 96, 60,123 parameters
(+0.2 %)
  2.310 ± 0.0071
gated-3f2a: better
  hidden size 101, 59,876 parameters
(-0.2 %)
  2.250 ± 0.0071, difference -0.060
[-0.090, -0.030] (95 %)
"""


def _printed(width: int, runs: Path = Path("runs")) -> str:
    screen = Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=width, markup=False, highlight=False
    )
    print_result(screen, RESULT, runs)
    assert isinstance(screen.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in screen.file.getvalue().splitlines())


def test_a_result_on_a_narrow_terminal() -> None:
    """The table becomes lines; commands are not broken, so that they can be copied."""
    printed = _printed(40)
    assert printed.startswith(GOLDEN_NARROW)
    assert "\n  nas-rnn sample first  a sample from its trained model\n" in printed


@pytest.mark.parametrize("width", [1, 10, 25])
def test_a_result_on_a_tiny_terminal(width: int) -> None:
    assert "nas-rnn show first" in _printed(width)


def test_a_result_on_a_wide_terminal_is_the_one_of_files() -> None:
    assert _printed(200) == GOLDEN_END


def test_nothing_is_imported_after_the_run(run: Run, fake: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have taken days, and the program may have been installed anew meanwhile."""
    for name in ("watching", "lines", "live", "results", "output"):
        monkeypatch.delitem(sys.modules, f"nas_rnn.cli.{name}", raising=False)
    names: set[str] = set()
    monkeypatch.setattr(fake, "after", lambda: names.update(sys.modules))
    assert run("search").code == 0
    assert "nas_rnn.cli.results" in names
    assert {name for name in sys.modules if name.startswith("nas_rnn")} <= names


@pytest.mark.parametrize("smoke", [True, False])
def test_a_verdict_of_a_smoke_run_says_that_it_means_nothing(tmp_path: Path, smoke: bool) -> None:
    written = io.StringIO()
    notices = ("another", *([SMOKE_WARNING] if smoke else []))
    print_result(Console(file=written, width=200), replace(RESULT, notices=notices), tmp_path)
    before, found, after = written.getvalue().partition("This is a smoke run: everything once, at toy size")
    assert bool(found) is smoke
    assert RESULT.verdict is not None and RESULT.verdict[:30] in (after if smoke else before)


def test_an_interrupted_final_is_not_called_one_that_was_not_reached(tmp_path: Path) -> None:
    written = io.StringIO()
    ended = replace(RESULT, status="interrupted", comparison=None, verdict=None)
    print_result(Console(file=written, width=200), ended, tmp_path)
    assert "No verdict: the final has not ended." in written.getvalue()
