"""Plugins are recorded with every trial; a search is not resumed with changed ones unless that is asked for."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

import nas_rnn
from nas_rnn import plugins
from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import restore_operations
from nas_rnn.errors import UserError
from nas_rnn.experiment.stages.filtering import Filter
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.proposals import SearchSource
from nas_rnn.experiment.stages.strategy import make_strategy
from nas_rnn.plugins import PluginError
from nas_rnn.run_folder.manifest import parse_manifest
from nas_rnn.run_folder.provenance import identities, tags, used_by
from nas_rnn.run_folder.reader import STUDY
from nas_rnn.strategies import Study
from tests.experiment_runs import TINY, write_text

SPACE = """
from nas_rnn import linear, search_space, tanh, sigmoid

__version__ = "{version}"


@search_space
def grown(choose, x, h):
    act = choose("act", [tanh, sigmoid])
    if choose("way", ["one", "two", "three", "four"]) != "one":
        {body}
    return act(linear(x, h))
"""
OPERATION = """
from nas_rnn import operation

bump = operation("bump", value="{value}", derivative="{derivative}")
"""
STRATEGY = """
from nas_rnn.strategies import RandomSearch


class Mine(RandomSearch):
    name = "mine"

    def ask(self):
        return {answer}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a text and plugins; searches begin and go on, and only propose what ``asked`` says."""
    module = importlib.import_module("nas_rnn.experiment.search")
    monkeypatch.setattr(module, "_run", lambda session: session)
    monkeypatch.setattr(plugins, "_registry", None)
    before = operations()
    write_text(tmp_path / "text.txt")
    (tmp_path / "plugins").mkdir()
    write(tmp_path, "grown.py", SPACE.format(version="1.0", body="pass"))
    yield tmp_path
    restore_operations(before)


def write(place: Path, file: str, text: str) -> Path:
    path = place / "plugins" / file
    path.write_text(text)
    return path


def begin(place: Path, **options):
    given = {"space": "grown", "plugins": (place / "plugins",), "name": "s", "trials": 6, **options}
    return nas_rnn.search(data=place / "text.txt", runs=place / "runs", **{**TINY, **given})


def resume(place: Path, **options):
    return nas_rnn.search(resume="s", runs=place / "runs", **options)


def facts(place: Path) -> dict:
    return json.loads((place / "runs/s/search.json").read_text())


def propose(searched, trials: int) -> None:
    listener = RunListener(searched.folder, searched.notify, lambda spec, result: None)
    study = Study.resume(searched.folder.study_path, STUDY)
    source = SearchSource(
        config=searched.config,
        models=searched.models,
        filter=Filter(searched.config, searched.models, searched.folder),
        folder=searched.folder,
        notify=searched.notify,
        study=study,
        strategy=make_strategy(searched.config, 0),
        standard=searched.models.baseline_entry(plugins.load_cell("lstm")),
        trials=searched.config.trials,
        on_change=listener.on_change,
    )
    for _ in range(trials):
        source.next()


def test_a_search_records_its_plugins(place):
    path = write(place, "bump.py", OPERATION.format(value="a * a", derivative="2 * a"))
    begin(place)
    found = facts(place)["plugins"]
    assert {"space grown", "task char-lm", "strategy random", "operation bump"} <= set(found)
    assert found["space grown"]["version"] == "1.0"
    assert found["space grown"]["origin"] == str(place / "plugins/grown.py")
    assert found["operation bump"]["origin"] == str(path)
    assert found["task char-lm"]["origin"].startswith("nas_rnn ")


def test_every_trial_records_them_with_the_operations_it_uses(place):
    write(place, "bump.py", OPERATION.format(value="a * a", derivative="2 * a"))
    body = "from nas_rnn.cells import find_operation; act = find_operation('bump')"
    write(place, "grown.py", SPACE.format(version="1.0", body=body))
    propose(begin(place), 4)
    trials = Study.open(place / "runs/s/study.journal", STUDY).trials()
    assert trials
    for trial in trials:
        found = trial.details["plugins"]
        assert {"space grown", "task char-lm", "strategy random"} <= set(found)
        assert ("operation bump" in found) == ("bump(" in trial.candidate.cell.to_text())
        assert found["space grown"] == facts(place)["plugins"]["space grown"]


def test_resuming_with_the_same_files_asks_nothing(place):
    begin(place)
    resume(place)
    (place / "plugins" / "grown.py").rename(place / "plugins" / "renamed.py")
    resume(place)  # the content counts
    assert facts(place)["plugins"]["space grown"]["origin"].endswith("renamed.py")


def test_resuming_with_a_changed_file_is_refused_and_names_all_there_is_to_know(place):
    begin(place)
    before = facts(place)["plugins"]["space grown"]["digest"]
    path = write(place, "grown.py", SPACE.format(version="1.1", body="x = tanh(x)"))
    with pytest.raises(UserError) as refused:
        resume(place)
    message = str(refused.value)
    now = plugins.registry().find("space", "grown").digest
    for part in (str(path), f"1.0, sha256 {before[:12]}", f"1.1, sha256 {now[:12]}", "--changed-plugins"):
        assert part in message
    assert facts(place)["plugins"]["space grown"]["digest"] == before


def test_the_flag_accepts_the_change_once_and_for_all(place):
    begin(place)
    write(place, "grown.py", SPACE.format(version="1.1", body="x = tanh(x)"))
    with pytest.raises(UserError, match="--changed-plugins"):
        resume(place)
    resume(place, changed_plugins=True)
    assert facts(place)["plugins"]["space grown"]["version"] == "1.1"
    resume(place)


def test_a_refused_search_is_not_held(place):
    begin(place)
    text = (place / "plugins/grown.py").read_text()
    write(place, "grown.py", text + "# changed\n")
    with pytest.raises(UserError, match="--changed-plugins") as refused:
        resume(place)
    write(place, "grown.py", text)
    resume(place)
    assert refused.value


def test_operations_count_where_a_trial_has_them(place):
    write(place, "bump.py", OPERATION.format(value="a * a", derivative="2 * a"))
    begin(place)
    before = operations()
    del before["bump"]
    restore_operations(before)  # as in another process
    write(place, "bump.py", OPERATION.format(value="a * a * a", derivative="3 * a * a"))
    resume(place)  # no trial has it
    study = Study.open(place / "runs/s/study.journal", STUDY)
    from nas_rnn import parse_cell
    from nas_rnn.spaces import Candidate

    cell = parse_cell("@cell\ndef mine(x, h):\n    return bump(linear(x, h))\n")
    study.add(Candidate(cell), hidden_size=4)
    restore_operations(before)
    write(place, "bump.py", OPERATION.format(value="a + a", derivative="2"))
    with pytest.raises(UserError, match=r"the operation 'bump' of .*bump\.py was \(sha256"):
        resume(place)


def test_a_complete_search_is_only_shown(place):
    begin(place)
    (place / "runs/s/comparison.json").write_text("{}")
    (place / "plugins/grown.py").unlink()
    resume(place)


def test_a_search_without_a_record_is_resumed(place):
    begin(place)
    old = {**facts(place), "plugins": {"/old/grown.py": "a digest"}}
    (place / "runs/s/search.json").write_text(json.dumps(old))
    assert parse_manifest(old, "search.json").plugins == {}
    resume(place)
    assert "space grown" in facts(place)["plugins"]


def test_tags_tell_name_version_and_content():
    found = {
        "space grown": {"origin": "o", "version": "1.0", "digest": "0123456789abcdef"},
        "operation b": {"origin": "o", "version": "", "digest": "f" * 64},
        "operation a": {"origin": "o", "version": "", "digest": "e" * 64},
    }
    assert tags(found) == {
        "plugin.space": "grown (1.0, sha256 0123456789ab)",
        "plugin.operation": "a (sha256 eeeeeeeeeeee); b (sha256 ffffffffffff)",
    }
    assert used_by(found, nas_rnn.load_cell("lstm")) == {"space grown": found["space grown"]}


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("act = 1 / 0", 11, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", 11, "called sys.exit"),
        ("return 'text'", 8, "not 'text'"),
        ("while True: pass", 11, "it ran for more than 0.5 s"),
    ],
)
def test_a_space_that_breaks_while_it_is_searched_is_named_with_its_line(
    place, monkeypatch, body, line, message
):
    """Its first sample was sound, or it would not have been loaded."""
    from nas_rnn.plugins import sandbox as containing

    monkeypatch.setattr(containing, "ANSWER_SECONDS", 0.5)
    path = write(place, "grown.py", SPACE.format(version="1", body=body).replace('!= "one"', '== "four"'))
    with pytest.raises(PluginError) as failed:
        propose(begin(place), 7)
    assert f"the space 'grown' ({path}, line {line}) failed: " in str(failed.value)
    assert message in str(failed.value)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("1 / 0", r"the strategy 'mine' \(.*mine\.py, line 9\) failed: ZeroDivisionError"),
        ("'text'", r"the strategy 'mine' \(.*mine\.py, line 6\) proposed 'text', which is no candidate"),
    ],
)
def test_a_strategy_that_breaks_is_named(place, answer, message):
    write(place, "mine.py", STRATEGY.format(answer=answer))
    with pytest.raises(PluginError, match=message):
        propose(begin(place, strategy="mine"), 2)


def test_identities_leave_out_what_is_unclear(place):
    write(place, "one.py", OPERATION.format(value="a * a", derivative="2 * a"))
    write(place, "two.py", OPERATION.format(value="a + a", derivative="2"))
    found = identities(begin(place).config)
    assert "space grown" in found and "operation bump" not in found
