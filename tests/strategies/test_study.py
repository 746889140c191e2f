"""The study keeps trials and their ends through a reopening."""

import pytest

from nas_rnn.errors import NasRnnError
from nas_rnn.plugins import load_space
from nas_rnn.strategies import Study


def test_trials_and_their_ends_survive_a_reopening(tmp_path):
    path = tmp_path / "study.journal"
    space = load_space("gated")
    study = Study.create(path, "one", "minimize")
    candidates = [space.sample(seed) for seed in range(5)]
    for candidate in candidates:
        study.add(candidate, hidden_size=12)
    study.finish(0, "finished", 2.5)
    study.finish(1, "stopped", 3.5, "behind the others at epoch 1")
    study.finish(2, "diverged", None, "the loss is nan")
    study.finish(3, "finished", 2.5, copy_of=0)

    again = Study.open(path, "one")
    trials = again.trials()
    assert [t.ending for t in trials] == ["finished", "stopped", "diverged", "finished", None]
    assert [t.value for t in trials] == [2.5, 3.5, None, 2.5, None]
    assert [t.copy_of for t in trials] == [None, None, None, 0, None]
    assert trials[2].reason == "the loss is nan"
    assert [t.candidate.cell for t in trials] == [c.cell for c in candidates]
    assert [t.candidate.decisions for t in trials] == [c.decisions for c in candidates]
    assert trials[4].details == {"hidden_size": 12}

    again.finish(4, "finished", 1.0)
    assert again.trials()[4].ending == "finished"


def test_an_unknown_study_is_one_clear_error(tmp_path):
    with pytest.raises(NasRnnError, match=r"study .* cannot be read"):
        Study.open(tmp_path / "none.journal", "missing")


@pytest.mark.parametrize("torn", [b'{"op_code":8,"wor', b"{", b""])
def test_a_torn_last_line_costs_that_line_only(tmp_path, torn):
    """As a full disk or a kill leaves it; what were appended behind it would make the journal unreadable."""
    path = tmp_path / "study.journal"
    space = load_space("gated")
    study = Study.create(path, "one", "minimize")
    study.add(space.sample(0), hidden_size=12)
    study.finish(0, "finished", 2.5)
    with path.open("ab") as file:
        file.write(torn)
    again = Study.resume(path, "one")
    again.add(space.sample(1), hidden_size=12)
    again.finish(1, "finished", 1.5)
    assert [trial.value for trial in Study.open(path, "one").trials()] == [2.5, 1.5]


@pytest.mark.parametrize("left", ["link", "file", "renamed"])
def test_nobody_waits_for_the_lock_of_a_process_that_was_killed(tmp_path, monkeypatch, capfd, left):
    """Whoever resumes holds the run folder; Optuna's own lock files stay when their process is killed."""
    path, lock = tmp_path / "study.journal", tmp_path / "study.journal.lock"
    space = load_space("gated")
    study = Study.create(path, "one", "minimize")
    study.add(space.sample(0), hidden_size=12)
    if left == "link":
        lock.symlink_to(path)
    elif left == "file":
        lock.write_text("")
    else:
        lock.with_name(f"{lock.name}0b7d.rename").symlink_to(path)

    def waits(seconds):
        raise AssertionError("it waits for a lock")

    monkeypatch.setattr("time.sleep", waits)
    again = Study.resume(path, "one")
    again.finish(0, "finished", 2.5)
    assert [trial.value for trial in Study.open(path, "one").trials()] == [2.5]
    assert [each.name for each in tmp_path.iterdir()] == ["study.journal"]
    assert capfd.readouterr() == ("", "")


def test_a_killed_writer_leaves_no_lock(tmp_path, monkeypatch):
    path = tmp_path / "study.journal"
    study = Study.create(path, "one", "minimize")
    seen = []
    monkeypatch.setattr("os.fsync", lambda descriptor: seen.extend(tmp_path.iterdir()))  # while it is written
    study.add(load_space("gated").sample(0), hidden_size=12)
    assert {each.name for each in seen} == {"study.journal"}


def test_a_journal_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def full(self, logs):
        raise OSError(28, "No space left on device")

    study = Study.create(tmp_path / "study.journal", "one", "minimize")
    number = study.add(load_space("gated").sample(0), hidden_size=12)
    monkeypatch.setattr("optuna.storages.journal.JournalFileBackend.append_logs", full)
    with pytest.raises(NasRnnError, match=r"cannot write .*study\.journal: No space left on device"):
        study.finish(number, "finished", 1.0)
