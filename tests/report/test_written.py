"""A comparison leaves its report in its folder and in MLflow; one that cannot be drawn loses nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.cli import main
from nas_rnn.experiment.events import Notifier, silent
from nas_rnn.experiment.stages.keeping import write_report_or_warn
from nas_rnn.tracking import default_uri
from nas_rnn.tracking.quiet import connect

sys.path.insert(0, str(Path(__file__).resolve().parent))
from folders import full_search
from page_checks import Page

from tests.finished import Finished


@pytest.fixture(scope="module")
def finished(finished_comparison: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs with one tiny comparison, tuned; this module's own."""
    return finished_comparison.copied(tmp_path_factory.mktemp("written")) / "runs"


def test_a_comparison_ends_with_its_report(finished: Path) -> None:
    page = Page((finished / "whole" / "report.html").read_text(encoding="utf-8"))
    assert page.problems == []
    wanted = [
        "results",
        "learning",
        "speed",
        "cells",
        "preview",
        "flow",
        "pareto",
        "tuning",
        "costs",
        "checklist",
        "again",
    ]
    assert page.sections == wanted
    assert "Python 3." in page.text and "learning rate" in page.text
    assert "9 tuning runs each" in page.text


def test_it_is_an_artifact_of_the_parent_run(finished: Path) -> None:
    client: Any = connect(default_uri(finished))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (parent,) = client.search_runs(experiments, "tags.role = 'search'")
    assert "report.html" in [artifact.path for artifact in client.list_artifacts(parent.info.run_id)]


def test_the_command_makes_it_anew_and_says_where(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = finished / "whole" / "report.html"
    path.write_text("gone")
    with pytest.raises(SystemExit) as ended:
        main(["report", "whole", "--runs", str(finished)])
    assert (ended.value.code, capsys.readouterr().out.strip()) == (0, str(path))
    assert "whole: results" in path.read_text(encoding="utf-8")


def test_an_unknown_name_is_a_mistake(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "whale", "--runs", str(finished)])
    assert ended.value.code == 2
    assert "did you mean 'whole'" in capsys.readouterr().err


def test_a_report_that_cannot_be_drawn_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(report: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr("nas_rnn.report.render", fail)
    notify = Notifier(silent)
    write_report_or_warn(full_search(tmp_path), notify)
    assert notify.notices == [
        "the report was not written: RuntimeError: no ink; try again with `nas-rnn report search`"
    ]
