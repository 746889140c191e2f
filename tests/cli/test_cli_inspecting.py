"""``show``, ``list``, ``sample`` and ``ui``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_rnn import load_cell, parse_cell, plugins
from nas_rnn.catalogue import listing as catalogue
from nas_rnn.cells import Cell
from tests.cli.conftest import Run

KINDS = ("cells", "spaces", "tasks", "strategies", "ops", "searches")


def test_show_gives_equations_and_costs(run: Run) -> None:
    outcome = run("show", "lstm")
    assert (outcome.code, outcome.err) == (0, "")
    for text in (
        "Gers et al. 2000",
        "cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ",
        "98,816  parameters of a layer",
        "nas_rnn.cells.zoo",
    ):
        assert text in outcome.out


def test_show_counts_for_the_sizes_given(run: Run) -> None:
    outcome = run("show", "rnn", "--input-size", "3", "--hidden-size", "5")
    assert "Costs at input size 3, hidden size 5:" in outcome.out
    assert f"{5 * 3 + 5 * 5 + 5}  parameters of a layer" in outcome.out


def test_show_text_is_a_cell_file(run: Run, tmp_path: Path) -> None:
    outcome = run("show", "gru", "--text")
    assert parse_cell(outcome.out).digest == load_cell("gru").digest
    path = tmp_path / "mine.cell"
    path.write_text(outcome.out)
    assert str(load_cell("gru")) in run("show", path).out


def test_a_recipe_is_shown_as_a_cell_and_a_cell_as_a_recipe(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(run("show", "lstm_nas_bench", "--recipe").out)
    shown = json.loads(run("show", path, "--json").out)
    assert shown["digest"] == load_cell("lstm_nas_bench").digest
    assert shown["source"] == str(path)
    refused = run("show", "lstm", "--recipe")
    assert (refused.code, refused.out) == (2, "")
    assert "the cell 'lstm' cannot be written as a recipe" in refused.err


def test_show_latex(run: Run) -> None:
    assert run("show", "gru", "--latex").out == load_cell("gru").latex() + "\n"


def test_show_json_is_all_there_is(run: Run) -> None:
    shown = json.loads(run("show", "lstm", "--json", "--hidden-size", "4").out)
    assert shown["name"] == "lstm"
    assert shown["hidden_size"] == 4
    assert shown["digest"] == load_cell("lstm").digest
    assert shown["costs"]["parameters"] == 4 * (4 * 64 + 4 * 4 + 4)


@pytest.mark.parametrize(("file", "picture"), [("a.svg", "svg"), ("a.PNG", "png"), ("a.b.png", "png")])
def test_show_draws_a_diagram(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, picture: str
) -> None:
    monkeypatch.setattr(Cell, "diagram", lambda self, format: f"{self.name} as {format}".encode())
    outcome = run("show", "lstm", "--diagram", tmp_path / file)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert (tmp_path / file).read_bytes() == f"lstm as {picture}".encode()


def test_show_says_what_differs(run: Run, tmp_path: Path) -> None:
    outcome = run("show", "lstm_coupled", "--diff", "lstm", "--diagram", tmp_path / "a.svg")
    assert (outcome.code, outcome.err) == (0, "")
    assert "  - iₜ = σ(" in outcome.out and "  ~ cₜ = fₜ ⊙ cₜ₋₁ + (1 - fₜ) ⊙ gₜ" in outcome.out
    assert "has no input gate (i) of its own: 1 - fₜ takes its place" in outcome.out
    assert b"differs from lstm" in (tmp_path / "a.svg").read_bytes()
    as_json = json.loads(run("show", "lstm_coupled", "--diff", "lstm", "--json").out)
    assert as_json["base_equations"][0]["mark"] == "-" and len(as_json["sentences"]) == 1
    assert "the same cell" in run("show", "lstm", "--diff", "lstm_np").out
    refused = run("show", "lstm", "--diff", "gru", "--latex")
    assert refused.code == 2 and "--diff" in refused.err
    assert run("show", "lstm", "--diff", "lstmm").code == 2


def test_show_draws_gradient_flow_of_fresh_weights(run: Run, tmp_path: Path) -> None:
    sizes = ("--input-size", "4", "--hidden-size", "6")
    outcome = run("show", "gru", "--gradient-flow", tmp_path / "flow.png", *sizes)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")
    refused = run("show", "gru", "--gradient-flow", tmp_path / "flow.pdf")
    assert refused.code == 2 and "--gradient-flow draws .svg and .png files" in refused.err


@pytest.mark.parametrize("kind", KINDS)
def test_list_as_json_and_as_a_table(run: Run, kind: str) -> None:
    rows = json.loads(run("list", kind, "--json").out)
    table = run("list", kind)
    assert table.code == 0
    assert isinstance(rows, list)
    if kind == "searches":
        assert rows == []
        assert table.err.startswith("There are no searches in ") and table.err.endswith("/runs' yet.\n")
        return
    lines = table.out.splitlines()
    assert len(lines) == len(rows) + 1
    for row, line in zip(rows, lines[1:], strict=True):
        assert line.startswith(f"{row['name']} ")


def test_list_alone_lists_cells(run: Run) -> None:
    assert run("list").out == run("list", "cells").out


def test_list_keeps_names_as_they_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is neither markup nor an escape code; empty columns are left out."""
    rows: list[dict[str, Any]] = [
        {"name": "[red]a[/]", "count": 1234567, "good": True, "empty": "", "none": None},
        {"name": "b\x1b[31m\n", "count": 2, "good": False, "empty": "", "none": None},
    ]
    monkeypatch.setattr(catalogue, "listing", lambda kind, runs: rows)
    outcome = run("list", "cells")
    assert [line.rstrip() for line in outcome.out.splitlines()] == [
        "name       count      good",
        "[red]a[/]  1,234,567  yes",
        "b [31m     2          no",
    ]


@pytest.mark.parametrize("width", [20, 60, 100])
def test_list_fits_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    for kind in KINDS[:-1]:
        outcome = run("list", kind)
        assert max(map(len, outcome.out.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())) <= width


@pytest.fixture
def terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that gives the lines which the program prints on a terminal of so many columns."""

    def lines(width: int, *arguments: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        return re.sub(r"\x1b\[\d*m", "", run(*arguments).out).splitlines()

    return lines


def test_the_list_of_cells_shows_its_facts_at_80_columns(terminal: Callable[..., list[str]]) -> None:
    shown = terminal(80, "list", "cells")
    assert shown[0].split() == ["name", "family", "year", "states", "products", "operations"]
    lines = {line.split()[0]: line.split() for line in shown if line}
    assert lines["lstm"] == ["lstm", "classic", "1997", "h,", "c", "4", "9"]
    assert lines["lstm_ln"][-1] == "20", "operations include the normalisations"
    assert "products: matrix products with a state" in " ".join(shown)


def test_a_long_list_keeps_a_cell_to_a_line_and_cuts_what_does_not_fit(
    terminal: Callable[..., list[str]],
) -> None:
    shown = terminal(120, "list", "cells")
    (enas,) = [line for line in shown if line.startswith("enas ")]
    assert re.search(r"searched +2018 +h +24 +78 +7 +ENAS, the cell found on .*…$", enas)
    assert len(enas) == 120
    assert shown.index("") == 1 + len(catalogue.listing("cells"))


def test_a_short_list_breaks_its_sentences(terminal: Callable[..., list[str]]) -> None:
    shown = terminal(60, "list", "spaces")
    assert shown[0].split() == ["name", "summary"]
    text = " ".join(" ".join(line.split()) for line in shown)
    assert "coupling, peepholes, update, exposure." in text and "…" not in text


def test_tasks_are_listed_with_all_metrics_and_what_steers(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plugins, "_registry", None)
    (tmp_path / "stubs.py").write_text("from tests.tasks.stubs.reversing import Reversing\n")
    rows = json.loads(run("list", "tasks", "--plugins", tmp_path, "--json").out)
    assert {row["name"]: (row["metrics"], row["monitor"]) for row in rows} == {
        "caption": (
            "perplexity (minimize), nats_per_word (minimize), bleu (maximize), cider (maximize), exact (maximize)",
            "nats_per_word (minimize)",
        ),
        "behavior": (
            "recall at 20 (maximize), MRR at 20 (maximize), perplexity (minimize), nats_per_step (minimize)",
            "nats_per_step (minimize)",
        ),
        "char-lm": ("bits_per_char (minimize)", ""),
        "classify": ("accuracy (maximize), macro F1 (maximize)", "loss (minimize)"),
        "draw": ("bits_per_dim (minimize)", ""),
        "forecast": ("mae (minimize), rmse (minimize), mase (minimize)", ""),
        "glimpses": ("accuracy (maximize)", ""),
        "memory": ("solved (maximize), squared_error (minimize)", "loss (minimize)"),
        "music": ("nats_per_frame (minimize), frame accuracy (maximize)", ""),
        "seq2seq": (
            "exact (maximize), token_accuracy (maximize), chrf (maximize), bleu (maximize)",
            "loss (minimize)",
        ),
        "speech": ("accuracy (maximize), macro F1 (maximize)", "loss (minimize)"),
        "word-lm": ("perplexity (minimize), nats_per_word (minimize)", "nats_per_word (minimize)"),
        "stub-reversing": ("wrong_symbols (minimize), exact (maximize)", "loss (minimize)"),
    }


def test_sample_prints_the_text_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    def sample(name: str, **options: Any) -> str:
        given.update(options, name=name)
        return "a\tb [bold] :smile:\n" + "long " * 40

    monkeypatch.setattr("nas_rnn.catalogue.saved.sample", sample)
    outcome = run("sample", "first", "--length", 5, "--prompt", "Hi", "--temperature", ".5", "--seed", 3)
    assert outcome.out == "a\tb [bold] :smile:\n" + "long " * 40 + "\n"
    assert given == {
        "name": "first",
        "runs": tmp_path / "runs",
        "length": 5,
        "prompt": "Hi",
        "temperature": 0.5,
        "seed": 3,
    }


def test_ui_says_where_it_is(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    def ui(**options: Any) -> None:
        options.pop("on_ready")("http://127.0.0.1:5001")
        given.update(options)

    monkeypatch.setattr("nas_rnn.experiment.dashboard.ui", ui)
    outcome = run("ui", "--port", "5001", "--rebuild", "first")
    assert outcome.out == "Open http://127.0.0.1:5001 in a browser; Ctrl-C stops the server.\n"
    assert given == {"runs": tmp_path / "runs", "host": "127.0.0.1", "port": 5001, "rebuild": "first"}
