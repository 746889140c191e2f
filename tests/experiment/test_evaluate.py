"""Studies that are driven from outside, mostly with simulated runs: who leads, what is trained, what is kept."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn import parse_cell
from nas_rnn.engine.in_process import run_in_process
from nas_rnn.errors import UserError
from nas_rnn.experiment import challenge
from nas_rnn.experiment.challenge import Challenger, Runs
from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.experiment.feedback import Feedback
from nas_rnn.run_folder.journal import JOURNAL, Journal
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.training import RunResult, RunSpec, RunStore
from tests.experiment.outside import cell_text, open_study, simulated

LSTM = [2.30, 2.32, 2.28, 2.30, 2.31, 2.29, 2.30, 2.30]
BETTER = [value - 0.2 for value in LSTM]
LUCKY = [1.5, 2.31, 2.29, 2.31, 2.32, 2.30, 2.31, 2.29]


def test_a_better_cell_becomes_the_incumbent_and_the_next_is_held_against_it(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    values = {"lstm": LSTM, "good": BETTER, "next": LSTM}
    with simulated(values) as trained:
        found = study.evaluate(cell_text("good"))
        assert (found.status, found.verdict, found.incumbent, found.known) == (
            "measured",
            "better",
            True,
            False,
        )
        assert study.incumbent.name == "good"
        # The LSTM first, and the challenger's pairs one by one.
        assert trained == [f"{name} {pair}" for name in ("lstm", "good") for pair in range(4)]
        found = study.evaluate(cell_text("next", 1))
    assert (found.verdict, found.incumbent) == ("behind", False)
    assert found.against_incumbent is not None and found.against_incumbent.name == "good"
    assert found.against_baseline is not None and found.against_baseline.difference == pytest.approx(0.0)
    assert trained[8:] == ["next 0"]
    assert study.incumbent.name == "good"


def test_one_lucky_run_does_not_become_the_incumbent(tmp_path: Path) -> None:
    study = open_study(tmp_path, most_seeds=8)
    with simulated({"lstm": LSTM, "lucky": LUCKY}):
        found = study.evaluate(cell_text("lucky"))
    assert found.values[0] == 1.5 and found.verdict == "undecided" and len(found.values) == 8
    assert not found.incumbent and study.incumbent.name == "lstm"
    assert "stays the incumbent" in found.words[0]


def test_a_known_digest_is_answered_at_once_under_any_name(tmp_path: Path) -> None:
    with simulated({"lstm": LSTM, "good": BETTER}) as trained:
        first = open_study(tmp_path).evaluate(cell_text("good"), source="a.cell")
        count = len(trained)
        again = OutsideStudy.existing("s", runs=tmp_path / "runs").evaluate(
            cell_text("renamed")
            .replace("(x, h)", "(x, memory)", 1)
            .replace("linear(x, h)", "linear(x, memory)"),
            source="b.cell",
        )
    assert len(trained) == count
    assert again.known and again.source == "b.cell" and again == replace(first, known=True, source="b.cell")


def test_the_first_incumbent_itself_is_no_challenger(tmp_path: Path) -> None:
    with simulated({"lstm": LSTM}) as trained:
        found = open_study(tmp_path).evaluate(nas_rnn.load_cell("lstm"))
    assert (found.verdict, found.incumbent, len(trained)) == ("baseline", True, 4)
    assert found.value == pytest.approx(2.3)


def test_a_diverging_cell_is_worse_after_its_first_run_and_says_where(tmp_path: Path) -> None:
    with simulated({"lstm": LSTM, "wild": [None]}):
        found = open_study(tmp_path).evaluate(cell_text("wild"))
    assert (found.status, found.verdict, found.value) == ("diverged", "worse", None)
    assert found.diverged is not None
    assert (found.diverged.seed, found.diverged.epochs) == (1, 1)
    told = "it diverged on seed 1, after 1 epoch (loss became nan in epoch 2, step 3)."
    assert found.words[0] == f"`wild` is worse than the incumbent: {told}"


def test_an_incumbent_that_diverges_later_is_an_end_without_a_winner(tmp_path: Path) -> None:
    lstm = [*LSTM[:4], None, *LSTM[5:]]
    near = [2.2, 2.38, 2.19, 2.35, 2.3, 2.3, 2.3, 2.3]
    with simulated({"lstm": lstm, "near": near}):
        found = open_study(tmp_path, most_seeds=8).evaluate(cell_text("near"))
    assert (found.status, found.verdict) == ("measured", "undecided")
    assert "the incumbent diverged on seed 5" in found.words[0]


def test_a_first_incumbent_that_diverges_is_the_study_s_mistake(tmp_path: Path) -> None:
    with (
        simulated({"lstm": [2.3, None]}),
        pytest.raises(UserError, match=r"lstm diverged on seed 2.*begin another study with a lower"),
    ):
        open_study(tmp_path).evaluate(cell_text("any"))


def test_the_time_ends_an_evaluation_and_the_next_call_goes_on(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    with simulated({"lstm": LSTM, "good": BETTER}) as trained:
        found = study.evaluate(cell_text("good"), seconds=0)
        assert (found.status, found.verdict, trained) == ("unfinished", None, [])
        found = study.evaluate(cell_text("good"))
    assert (found.status, found.verdict, found.known) == ("measured", "better", False)
    assert "nothing is left" not in " ".join(found.words)


def test_texts_that_are_no_cells_are_feedback_with_line_rule_and_hint(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    found = study.evaluate(
        "@cell\ndef bad(x, h):\n    a = tanhh(linear(x, h))\n    return a\n", source="bad.cell"
    )
    assert (found.status, found.verdict) == ("unparsable", None)
    assert found.problem is not None
    assert (found.problem.line, found.problem.text) == (3, "a = tanhh(linear(x, h))")
    assert found.problem.rule == "unknown word 'tanhh'"
    assert found.problem.hint.startswith("did you mean 'tanh'?")
    for text in ("", "import os\n", "def f(:\n", "x" * 300_000, "@cell\ndef f(x, h):\n    while 1: pass\n"):
        found = study.evaluate(text)
        assert found.status == "unparsable" and found.problem is not None and found.problem.rule
        assert found.problem.hint and found.words
    assert not list((tmp_path / "runs/s/trials").iterdir())


def test_nothing_in_a_text_is_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    found = open_study(tmp_path).evaluate(
        f"open({str(witness)!r}, 'w')\n@cell\ndef f(x, h):\n    return tanh(x)\n"
    )
    assert found.status == "unparsable" and not witness.exists()


def test_a_cell_for_which_no_model_can_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    wrong = "@cell\ndef wrong(x, p=state(size='input'), h=state()):\n    return x, tanh(linear(x, h))\n"
    found = open_study(tmp_path).evaluate(wrong)
    assert (found.status, found.name) == ("refused", "wrong")
    assert found.problem is not None and "put another state path first" in found.problem.hint


def test_options_may_be_left_out_later_and_not_contradicted(tmp_path: Path) -> None:
    study = open_study(tmp_path, task_options={"embedding": 6})
    runs = tmp_path / "runs"
    again = OutsideStudy.open("s", runs=runs)
    assert again.config == study.config and again.config.most_seeds == 4
    assert OutsideStudy.open("s", runs=runs, epochs=2, task_options={"embedding": "6"}).config == study.config
    for options, told in (
        ({"epochs": 3}, r"--epochs 2 there, 3 here"),
        ({"task_options": {"embedding": 7}}, "--task-option embedding=6 there, embedding=7 here"),
        ({"data": None, "seed": 2, "params": 9}, r"--params 2500 there, 9 here; --seed 1 there, 2 here"),
    ):
        with pytest.raises(UserError, match=told):
            OutsideStudy.open("s", runs=runs, **options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown option 'tune'"):
        OutsideStudy.open("s", runs=runs, tune=3)  # type: ignore[call-arg]


def test_mistakes_leave_no_folder(tmp_path: Path) -> None:
    for options in ({"params": 1}, {"baseline": "nobody"}, {"task": "nothing"}, {"epochs": 0}):
        with pytest.raises(UserError):
            open_study(tmp_path, **options)
        assert not (tmp_path / "runs" / "s").exists()
    with pytest.raises(UserError, match="a name is 1 to 100"):
        OutsideStudy.open("../s", runs=tmp_path / "runs")
    with pytest.raises(UserError, match="unknown study 'nobody'"):
        OutsideStudy.existing("nobody", runs=tmp_path / "runs")


def test_data_that_changed_are_refused(tmp_path: Path) -> None:
    open_study(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text(text.read_text()[::-1])
    with pytest.raises(UserError, match=r"the data of the study 's' .* have changed"):
        OutsideStudy.existing("s", runs=tmp_path / "runs").evaluate(cell_text("any"))


def test_a_second_call_waits_and_says_who_has_the_study(tmp_path: Path) -> None:
    open_study(tmp_path)
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    holder = RunFolder(tmp_path / "runs", "s").hold_in_turn(lambda who: None)
    second = OutsideStudy.existing("s", runs=tmp_path / "runs", say=say)
    thread = threading.Thread(target=lambda: second.tell(cell_text("any"), 2.0))
    thread.start()
    assert waiting.wait(30) and thread.is_alive()
    holder.release()
    thread.join(30)
    assert not thread.is_alive()
    assert said == [f"the study 's' is in use by process {os.getpid()}; waiting for it"]
    assert [event.kind for event in Journal(holder).events()] == ["begun", "told"]


def test_a_torn_line_of_the_journal_is_passed_over(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.tell(cell_text("one"), 2.0)
    path = tmp_path / "runs" / "s" / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"kind": "told", "dig')
    study.tell(cell_text("two"), None, "too slow")
    events = Journal(RunFolder(tmp_path / "runs", "s")).events()
    assert [(event.name, event.details["value"]) for event in events[1:]] == [("one", 2.0), ("two", None)]


def test_a_folder_of_another_kind_is_no_study(tmp_path: Path) -> None:
    folder = open_study(tmp_path).folder
    manifest = json.loads((folder / "search.json").read_text())
    (folder / "search.json").write_text(json.dumps({**manifest, "kind": "compare"}))
    with pytest.raises(UserError, match="'s' is a comparison, no study"):
        OutsideStudy.open("s", runs=tmp_path / "runs")


def test_a_run_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    with simulated({"lstm": LSTM, "good": BETTER}) as trained, pytest.MonkeyPatch.context() as patch:
        works = challenge.run_in_process

        def fails(spec: RunSpec, data: object, folder: Path, **more: Any) -> RunResult | None:
            found = works(spec, data, folder, **more)  # type: ignore[arg-type]
            if found is None or spec.name != "good":
                return found
            found = replace(found, status="failed", reason="no memory", ended_because="failed")
            RunStore(folder / spec.id).write_result(found)
            return found

        patch.setattr("nas_rnn.experiment.challenge.run_in_process", fails)
        found = study.evaluate(cell_text("good"))
        assert (found.status, found.verdict) == ("failed", None)
        assert "good: no memory" in found.words[0]
        patch.setattr("nas_rnn.experiment.challenge.run_in_process", works)
        assert study.evaluate(cell_text("good")).verdict == "better"
    assert trained.count("good 0") == 2


def test_feedback_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    with simulated({"lstm": LSTM, "good": BETTER, "wild": [None]}):
        for text in (cell_text("good"), cell_text("wild", 2), "nonsense"):
            found = study.evaluate(text)
            assert Feedback.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_the_fields_of_the_json_are_these(tmp_path: Path) -> None:
    """Others read them: a field that goes, or means something else, needs another schema (docs/proposers.md)."""
    with simulated({"lstm": LSTM, "good": BETTER}):
        found = open_study(tmp_path).evaluate(cell_text("good")).to_dict()
    assert list(found) == [
        *("source", "status", "verdict", "incumbent", "known", "name", "digest", "value", "values", "unit"),
        *("direction", "against_incumbent", "against_baseline", "curve", "diverged", "gradient", "cost"),
        *("problem", "reason", "words"),
    ]
    assert list(found["against_incumbent"]) == [
        *("name", "digest", "value", "seeds", "difference", "relative", "interval", "level")
    ]
    assert list(found["curve"][0]) == ["epoch", "train_loss", "valid_loss", "value"]
    assert list(found["cost"]) == [
        *("hidden_size", "parameters", "epochs", "seconds", "seconds_per_epoch", "baseline_seconds_per_epoch")
    ]


def test_what_is_measured_is_what_an_engine_s_run_of_the_same_spec_gives(tmp_path: Path) -> None:
    """Real runs: evaluate's, against a trainer's own; with gradient flow, and no look at the test part."""
    from nas_rnn.training.trainer import Trainer

    study = open_study(tmp_path)
    found = study.evaluate(cell_text("plain"))
    assert found.status == "measured" and found.gradient is not None
    assert {path.path for path in found.gradient.paths} == {"h"}
    models = study._models
    first = Challenger.of(models, study.baseline, None)
    own = Challenger.of(models, parse_cell(cell_text("plain")), first)
    runs = Runs(RunFolder(tmp_path / "runs", "s"), models, lambda line: None)
    spec = runs.spec(own, 0)
    task = models.task
    trainer = Trainer(spec, task, models.data.without("test"), RunStore(tmp_path / "beside"))
    while not trainer.finished:
        trainer.run_epoch()
    result = trainer.result()
    assert found.values[0] == result.best_metric
    assert [point.value for point in found.curve] == [record.metric for record in result.epochs]
    assert not (study.folder / "final.json").exists()
    # Pairs share their seeds, other pairs have others.
    lstm = runs.spec(first, 0)
    assert (lstm.seed, lstm.data_seed) == (spec.seed, spec.data_seed)
    assert runs.spec(own, 1).seed != spec.seed and not spec.read_test


def test_a_run_that_was_cut_off_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    models = study._models
    first = Challenger.of(models, study.baseline, None)
    folder = RunFolder(tmp_path / "runs", "s")
    spec = Runs(folder, models, lambda line: None).spec(first, 0)
    epochs: list[int] = []
    stopped = run_in_process(
        spec,
        models.data,
        folder.trials,
        on_epoch=lambda spec, record: epochs.append(record.epoch),
        should_stop=lambda: bool(epochs),
    )
    assert stopped is None and epochs == [1]
    shutil.copytree(folder.trials, tmp_path / "copy")
    rest = run_in_process(spec, models.data, folder.trials)
    whole = run_in_process(spec, models.data, tmp_path / "whole")
    assert rest is not None and whole is not None
    assert [r.metric for r in rest.epochs] == [r.metric for r in whole.epochs]


def test_other_commands_know_a_study(tmp_path: Path) -> None:
    """Its incumbent can be named wherever a cell is; of what it has none, they say that its final has it."""
    from nas_rnn.catalogue.cells import find_cell
    from nas_rnn.catalogue.listing import search_row
    from nas_rnn.publishing.rebuilding import rebuild_runs
    from nas_rnn.publishing.report_data import make_report

    study, runs = open_study(tmp_path), tmp_path / "runs"
    folder = RunFolder(runs, "s")
    assert search_row(folder)["answer"] == "0 cells evaluated, none better"
    for command in (
        lambda: find_cell("s", runs),
        lambda: make_report("s", runs=runs),
        lambda: rebuild_runs(runs, "s"),
    ):
        with pytest.raises(UserError, match=r"'s' is a study of proposed cells; `nas-rnn promote --study s`"):
            command()
    with pytest.raises(UserError, match="'s' is no search; resume it with `nas-rnn evaluate CELL --study s`"):
        nas_rnn.search(resume="s", runs=runs)
    with simulated({"lstm": LSTM, "good": BETTER}):
        study.evaluate(cell_text("good"))
    assert find_cell("s", runs).name == "good"
    row = search_row(folder)
    assert (row["status"], row["kind"], row["answer"]) == ("open", "evaluate", "good leads, 1 cell evaluated")


def test_a_run_of_the_test_part_is_refused(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    spec = Runs(RunFolder(tmp_path / "runs", "s"), study._models, print).spec(
        Challenger.of(study._models, study.baseline, None), 0
    )
    with pytest.raises(ValueError, match="withheld"):
        run_in_process(replace(spec, role="final", read_test=True), study._models.data, tmp_path)


def test_what_cannot_be_trained_fails_by_itself(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    spec = Runs(RunFolder(tmp_path / "runs", "s"), study._models, print).spec(
        Challenger.of(study._models, study.baseline, None), 0
    )
    found = run_in_process(replace(spec, cell="nonsense"), study._models.data, tmp_path / "runs/s/trials")
    assert found is not None and (found.status, found.epochs) == ("failed", [])
