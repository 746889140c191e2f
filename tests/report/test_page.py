"""The page: what stands on it, that it needs nothing else, and that it shows users' texts as texts."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.catalogue.describe import show
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import LearningSpeed
from nas_rnn.publishing.report_data import gather, make_report, write_report
from nas_rnn.publishing.views import cell_artifacts
from nas_rnn.report.cards import _card
from nas_rnn.report.charts import learning
from nas_rnn.report.charts.learning import _top
from nas_rnn.report.charts.panel import begin, name_ends
from nas_rnn.report.inline import VARIABLES
from nas_rnn.report.tables import tuning
from nas_rnn.run_folder.layout import RunFolder

sys.path.insert(0, str(Path(__file__).resolve().parent))
from folders import BASE, FOUND, SCRIPT, SEEDS, Folder, full_search, records, standing
from page_checks import Page

ALL = ["results", "learning", "cells", "flow", "search", "pareto", "tuning", "costs", "checklist", "again"]


def page_of(folder: RunFolder) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def html(runs: Path) -> str:
    return make_report(full_search(runs, "<b>evil").name, runs=runs).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_a_full_search_has_every_section(page: Page) -> None:
    assert page.sections == ALL
    assert [target for target in page.targets if target[1:] in ALL] == [f"#{id}" for id in ALL]


def test_its_form_is_valid(page: Page, html: str) -> None:
    assert html.startswith("<!DOCTYPE html>")
    assert page.problems == []
    assert sorted(page.ids) == sorted(set(page.ids))
    assert page.tags.count("h1") == page.tags.count("title") == page.tags.count("main") == 1


def test_it_needs_nothing_else(page: Page, html: str) -> None:
    """No files, no addresses: every reference is to something on the page itself."""
    assert {target[0] for target in page.targets} == {"#"}
    assert {target[1:] for target in page.targets} <= set(page.ids)
    assert not {"link", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.handlers == []
    assert re.findall(r"https?:|//[a-z]|@import|data:", html) == ["data:"]  # in the policy


def test_no_script_but_its_own_can_run(page: Page, html: str) -> None:
    """The policy names the hash of the one script; whatever else a browser took for one would be refused."""
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{}'"
    assert policy.format(digest) in html
    assert page.tags.count("script") == 1


def test_what_users_wrote_is_text(page: Page, html: str) -> None:
    """Names, docstrings, reasons, sentences, configuration, plugins' origins, machines, run names, controls."""
    assert SCRIPT not in html and "<b>evil" not in html
    for text in (
        "<b>evil",
        f"Doc {SCRIPT}",
        f"found: reason {SCRIPT}",
        f"is better than the LSTM {SCRIPT}.",
        f"/data/{SCRIPT}.txt",
        f"/plugins/{SCRIPT}/mine.py",
        f"P {SCRIPT}",
        f"mean of random cells {SCRIPT}",
    ):
        assert text in page.text, text
    assert html.count("&lt;script&gt;") >= 10


def test_the_answer_comes_first_with_its_figures(page: Page) -> None:
    before, _, results = page.text.partition("Measured on the")
    assert "▲ better" in before and "is better than the LSTM" in before
    for text in (
        "2.300 ± 0.01",
        "−0.20 [−0.30, −0.10]",
        "−8.0 %",
        "0.008",
        "5,000 (+0.1 %)",
        "▼ worse (control)",
    ):
        assert text in results, text


def test_the_pictures_say_what_they_show(html: str) -> None:
    """Each has a description in words, with the figures of its lines."""
    labels = re.findall(r'<svg[^>]* aria-label="([^"]+)"', html)
    assert len(labels) == html.count("<svg") >= 12
    for text in (
        "lstm ends at 2.505; found ends at 2.305; random cells ends at 2.605",
        "tpe ends at −12.0 % after 4 candidates; random ends at −2.0 % after 4 candidates",
        "tpe ends at −12.0 % after 24 seconds",
        "lstm: 2.505 at 5,000; found: 2.305 at 5,000",
        "lstm 2 runs, found 2 runs",
    ):
        assert any(text in label for label in labels), (text, labels)


def test_every_colour_of_a_picture_has_a_light_and_a_dark_value(page: Page, html: str) -> None:
    css = page.styles[0]
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    for name in VARIABLES.values():
        assert f"--{name}:" in light and f"--{name}:" in dark, name
    pictures = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert re.findall(r"#[0-9a-fA-F]{6}\b", pictures) == []
    used = set(re.findall(r"var\(--([\w-]+)\)", html))
    assert used <= set(re.findall(r"--([\w-]+):", html))


def test_random_search_is_told_of_as_it_was(runs: Path, page: Page) -> None:
    assert "Dashed: random search beside it, 4 candidates." in page.text
    assert "estimated from these 4" in page.text
    alone = page_of(full_search(runs, "alone", control=False))
    assert "No random search ran beside tpe" in alone.text and "Dashed:" not in alone.text
    itself = page_of(full_search(runs, "itself", strategy="random", control=False))
    assert "estimated from these 4" in itself.text and "No random search ran" not in itself.text


SPEED = LearningSpeed(
    metric="bits_per_char",
    unit="bits per character",
    plateau=2.02,
    level=2.04,
    within="",
    targets=(1.0,) * 5,
    baseline_targets=(2.0,) * 5,
    ratio=0.71,
    ci95=(0.6, 0.84),
    seconds_per_target=3e-5,
    baseline_seconds_per_target=2.4e-5,
)


def test_how_fast_a_cell_learns_has_a_table_of_its_own(runs: Path) -> None:
    folder = Folder(runs, "fast", "compare", cells=["found"], baseline="lstm")
    folder.final({"learning_speed": SPEED})
    told = page_of(folder.folder).text.partition("How many characters each cell had learned from")[2]
    told = told.partition("of at least five pairs")[0]
    for text in ("2.040 bits per character", "0.71 [0.60, 0.84]", "0.89", "5 of 5 seeds", "for speed"):
        assert text in told, text
    assert not any(word in told for word in ("better", "worse", "equivalent", "undecided"))
    none = Folder(runs, "unknown-speed", "compare", cells=["found"], baseline="lstm")
    none.final({"learning_speed": replace(SPEED, ratio=None, ci95=None, reason="not every run came to it")})
    page = page_of(none.folder)
    assert "not every run came to it" in page.text and "times as many" not in page.text


def test_learning_curves_mark_where_and_why_each_run_ended(runs: Path) -> None:
    folder = Folder(runs, "ends", "compare", cells=["found"], baseline="lstm")
    folder.final()
    for number, because in enumerate(("converged", "cap")):
        folder.run(
            f"final-found-s{number}",
            "final",
            FOUND,
            2.3,
            seed=SEEDS["found"][number],
            ended_because=because,
        )
    html = write_report(folder.folder).read_text(encoding="utf-8")
    labels = [label for label in re.findall(r'<svg[^>]* aria-label="([^"]+)"', html) if "Validation" in label]
    assert len(labels) == 1
    assert "found ends at 2.300 (1 stopped improving, 1 at the most epochs)" in labels[0]
    assert re.search(r"lstm ends at 2\.505;", labels[0])  # of those nobody knows why
    assert html.count("at the most epochs</text>") == 2  # below both panels


def test_a_run_that_grows_without_bound_leaves_the_curves_and_is_named(runs: Path) -> None:
    folder = Folder(runs, "grown", "compare", cells=["found"], baseline="lstm")
    folder.final()
    assert "above the picture" not in write_report(folder.folder).read_text(encoding="utf-8")
    grown = [
        replace(record, metric=value) for record, value in zip(records(2.3), (2.5, 2.3, 98.0), strict=True)
    ]
    folder.run("final-found-s1", "final", FOUND, 2.3, seed=SEEDS["found"][1], epochs=grown)
    html = write_report(folder.folder).read_text(encoding="utf-8")
    assert html.count("above the picture: found, up to 98.00</text>") == 1  # of the two panels, one
    assert re.search(r'aria-label="Validation[^"]*above the picture: found, up to 98.00', html)


def test_without_the_runaway_the_curves_fill_the_picture(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The margin below them is a share of what is shown, not of how far the runaway went."""
    limits: list[tuple[float, float]] = []
    finished = learning.finish
    monkeypatch.setattr(
        learning,
        "finish",
        lambda figure, *given: (limits.append(figure.axes[0].get_ylim()), finished(figure, *given))[1],
    )
    folder = Folder(runs, "filled", "compare", cells=["found"], baseline="lstm")
    folder.final()
    grown = [
        replace(record, metric=value) for record, value in zip(records(2.3), (2.5, 2.3, 98.0), strict=True)
    ]
    folder.run("final-found-s1", "final", FOUND, 2.3, seed=SEEDS["found"][1], epochs=grown)
    learning.learning_curves(gather(folder.folder))
    low, high = limits[0]
    assert 2.2 < low < 2.3 and high < 3.0
    # also where the axis is logarithmic, which has no place for a margin below zero
    grown[1] = replace(grown[1], metric=0.01)
    folder.run("final-found-s1", "final", FOUND, 2.3, seed=SEEDS["found"][1], epochs=grown)
    learning.learning_curves(gather(folder.folder))
    low, high = limits[2]
    assert low == pytest.approx(0.009) and high < 3.0


@pytest.mark.parametrize(
    ("heights", "top"),
    [
        ([2.5, 2.6, 98.0, math.inf], 2.6),
        ([2.5, 2.6, 2.7, 98.0, 5.0], 5.0),
        ([2.5], 2.5),
        ([0.0, 0.0, 98.0], math.inf),
    ],
)
def test_the_axis_reaches_as_far_as_the_usual_runs(heights: list[float], top: float) -> None:
    assert _top(heights) == 1.05 * top


def test_to_show_a_search_tells_the_sizes_that_its_cell_had_there(runs: Path) -> None:
    """Costs are told at sizes that are the same for all cells."""
    folder = Folder(runs, "sized", "search", space="mine")
    cell = parse_cell(FOUND)
    folder.folder.best.mkdir(parents=True)
    (folder.folder.best / "cell.cell").write_text(cell.to_text())
    folder.final()
    shown = show("sized", runs=runs).search
    assert shown is not None and "hidden_size" not in shown  # the winner of the final is another cell
    folder.final({"standing": standing("found", 2.3, digest=cell.digest, hidden_size=17, parameters=4321)})
    shown = show("sized", runs=runs).search
    assert shown is not None and (shown["hidden_size"], shown["parameters"]) == (17, 4321)


def test_what_there_is_not_is_left_out(runs: Path) -> None:
    folder = Folder(runs, "duel", "compare", cells=["found"], baseline="lstm")
    folder.final()
    page = page_of(folder.folder)
    assert page.sections == ["results", "learning", "cells", "pareto", "costs", "checklist", "again"]
    assert "nas-rnn compare --config" in page.text and "--name duel-again" in page.text
    assert page.problems == []


def test_a_search_that_is_not_over_has_no_verdict(runs: Path) -> None:
    folder = Folder(runs, "unfinished", "search", space="mine", strategy="random", trials=9)
    folder.run("baseline", "baseline", BASE, 2.5)
    folder.study("study.journal", [2.9, 2.4])
    page = page_of(folder.folder)
    assert page.sections == ["search", "pareto", "costs", "checklist", "again"]
    assert "No verdict: the final has not ended." in page.text


def test_an_empty_folder_has_a_page(runs: Path) -> None:
    folder = Folder(runs, "empty", "search", space="mine", strategy="random", trials=9)
    assert page_of(folder.folder).sections == ["checklist", "again"]


def test_an_ablation_says_what_was_changed(runs: Path) -> None:
    folder = Folder(runs, "parts", "ablate", cells=["lstm"], baseline="lstm")
    variant = {"element": "gate", "what": f"no gate {SCRIPT}", "cell": FOUND}
    folder.folder.write_json("ablation.json", {"cell": BASE, "variants": [variant]})
    folder.final({"difference": 0.3, "ci95": (0.2, 0.4), "verdict": "worse"})
    page = page_of(folder.folder)
    assert f"no gate {SCRIPT} ▼ worse" in page.text
    assert "Differences from" not in page.text and "fₜ = σ(" in page.text
    assert "nas-rnn ablate lstm --config" in page.text and "--elements gate" in page.text


def test_diverged_runs_and_missing_numbers_are_words(runs: Path) -> None:
    folder = Folder(runs, "diverged", "compare", cells=["found"], baseline="lstm")
    missing = {"difference": None, "ci95": None, "relative_difference": None, "verdict": "undecided"}
    lost = replace(standing("found", 0.0), mean=None, std=None, diverged=1)
    folder.final({**missing, "standing": lost, "p_value": None, "p_adjusted": None})
    page = page_of(folder.folder)
    assert "? undecided (diverged) 1 of 2 diverged –" in page.text
    shown = page.text.partition("The 14 practices")[0]
    assert not re.search(r"\b(None|nan|inf)\b", shown)


def test_it_shows_an_older_folder(runs: Path) -> None:
    """Before there were costs and p-values, a comparison had the seconds of its parts."""
    folder = Folder(runs, "older", "compare", cells=["found"], baseline="lstm")
    folder.final()
    path = folder.folder.path / "comparison.json"
    kept = json.loads(path.read_text())
    for name in ("costs", "controls", "level", "counted"):
        del kept[name]
    for name in [name for name in kept["contenders"][0] if name.startswith(("p_", "more_", "level"))]:
        del kept["contenders"][0][name]
    path.write_text(json.dumps({**kept, "spent": {"final": 24.0}}))
    page = page_of(folder.folder)
    assert "final 24 s" in page.text and "Holm" not in page.text


def test_cells_are_shown_as_they_were_found_and_earlier_reads_of_the_test_part_are_told(runs: Path) -> None:
    """Tuning may have moved the biases of the final's runs; `final.json` has the cells, and names the data."""
    found = FOUND.replace("relu", "softplus")
    for age, name in enumerate(("earlier", "later")):
        folder = Folder(runs, name, "compare", cells=["found"], baseline="lstm")
        folder.final()
        folder.folder.write_json("final.json", {"data": "d", "entries": [{"cell": BASE}, {"cell": found}]})
        os.utime(folder.folder.path / "final.json", (1000 + age, 1000 + age))
    first, second = (page_of(RunFolder(runs, name)) for name in ("earlier", "later"))
    assert "softplus(" in first.text and "relu(" not in first.text
    assert "test data read once." in first.text
    assert "the same test data had been read before, in earlier." in second.text


def test_cells_too_large_for_a_picture_or_a_comparison_are_shown_with_the_reason() -> None:
    def chain(word: str) -> Cell:
        lines = "\n    ".join([f"h = {word}(h)"] * 420)
        return parse_cell(f"def {word}s(x, h):\n    h = linear(x, h)\n    {lines}\n    return h\n")

    card = _card(chain("tanh"), chain("relu"), 4, 0)
    assert "at most 400 boxes and circles" in card.diagram
    assert "100,000 pairs" in card.sentences[0]
    assert len(card.lines) == 421
    artifacts = cell_artifacts(chain("tanh"))
    assert "at most 400 boxes and circles" in str(artifacts["cell/diagram.txt"])
    assert "cell/equations.txt" in artifacts


def test_the_best_settings_are_those_that_decided(tmp_path: Path) -> None:
    """Neither of a run that diverged after good epochs, nor of one that was stopped at the rung."""
    folder = Folder(tmp_path, "tuned", "search", epochs="auto")
    for number, (value, ending) in enumerate(
        [(2.0, "diverged"), (2.2, "budget"), (2.5, "converged"), (2.4, "cap")]
    ):
        changes: dict[str, Any] = {"ended_because": ending, "learning_rate": 0.01 * (number + 1)}
        status = {"status": "diverged"} if ending == "diverged" else {}
        folder.run(f"tune-lstm-{number:03d}", "tuning", BASE, value, **changes, **status)
    report = gather(folder.folder)
    table = tuning(report)
    assert table is not None
    assert [row[:3] for row in table.rows] == [
        ("lstm", "2.000", "diverged"),
        ("lstm", "2.200", "stopped early"),
        ("lstm", "2.400", "finished"),
        ("lstm", "2.500", "finished"),
    ]
    assert table.chosen == {2} and table.of_chosen.rows[0][-1] == "0.04"
    assert report.tuned_to(report.of_role("tuning")[:2]) == []


def test_names_stand_beside_the_ends_of_their_lines_also_of_the_one_drawn_last() -> None:
    _, axes = begin("epoch", "bits")
    ends = [(1.0, 6.3, "lstm"), (1.0, 6.5, "found"), (1.0, 6.0, "gru")]
    for x, y, _ in ends:
        axes.fill_between([x], [y], [y])
        axes.plot([x], [y])
    name_ends(axes, ends)
    low, high = axes.get_ylim()
    assert [text.xy[1] for text in axes.texts] == pytest.approx(
        [(y - low) / (high - low) for _, y, _ in ends]
    )


def test_two_settings_of_each_cell_are_told_and_shown(tmp_path: Path) -> None:
    folder = full_search(tmp_path, "two")
    one = page_of(folder)
    assert "the two best in turn" not in one.text
    comparison = folder.read_json("comparison.json")
    for row in (comparison["baseline"], *comparison["contenders"]):
        row["second"] = {"learning_rate": 0.01}
    folder.write_json("comparison.json", comparison)
    page = page_of(folder)
    assert (
        "The final uses the best settings of each, the two best in turn: which of them tuning finds is chance."
        in page.text
    )
    table = tuning(gather(folder))
    assert table is not None and len(table.rows) == 4 and table.chosen == {0, 1, 2, 3}


def test_a_control_with_a_budget_of_its_own_is_no_unequal_tuning(tmp_path: Path) -> None:
    folder = full_search(tmp_path, "all")
    for number in range(6):
        writer = Folder.__new__(Folder)
        writer.folder = folder
        writer.run(f"tune-all-{number:03d}", "tuning", BASE, 2.4, name="LSTM tuned with all")
    report = gather(folder)
    assert report.tuning_runs() == {"found": 2, "lstm": 2}
    assert "tuning 2 runs per cell" in page_of(folder).text
    assert "not the same number for all" not in page_of(folder).text
