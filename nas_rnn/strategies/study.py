"""The study: the one truth about which trials of a search exist and how they ended (an Optuna journal)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas_rnn.cells import parse_cell
from nas_rnn.errors import NasRnnError
from nas_rnn.spaces import Candidate, Decisions

if TYPE_CHECKING:  # takes a tenth of a second to import, and most commands read no study
    import optuna
    from optuna.storages import JournalStorage
    from optuna.trial import FrozenTrial

Ending = Literal["finished", "stopped", "diverged", "failed"]

_STATES: dict[Ending, str] = {
    "finished": "COMPLETE",
    "stopped": "PRUNED",
    "diverged": "FAIL",
    "failed": "FAIL",
}
"""The name of Optuna's state of a trial that ended so."""

_TAKEN_ON = "taken on "
"""Begins the study's attribute with the later ending of a trial."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of the study: its candidate, and how it ended (``ending`` None: not yet).

    ``first_value`` is the value that it had when it ended first: one that was stopped may have been taken on later.
    """

    number: int
    candidate: Candidate
    digest: str
    ending: Ending | None
    value: float | None
    reason: str | None
    copy_of: int | None
    details: dict[str, Any]
    first_value: float | None = None

    @property
    def hidden_size(self) -> int | None:
        """The size at which it was trained; None where it is a copy of another, or no size fitted."""
        size = self.details.get("hidden_size")
        return None if self.copy_of is not None or size is None else int(size)


class Study:
    """A search's trials, kept in a journal file that survives a kill at any moment.

    There is one writer, who holds the run folder in which the journal lies.
    """

    def __init__(self, study: optuna.Study, path: Path) -> None:
        self._study = study
        self._path = path
        self._open: dict[int, optuna.Trial] = {}

    @classmethod
    def create(cls, path: Path, name: str, direction: Literal["minimize", "maximize"]) -> Study:
        """Start a new study in the journal ``path``; `NasRnnError` where that cannot be written."""
        import optuna

        _quiet()
        with _explained(path):
            _clear_locks(path)
            study = optuna.create_study(
                storage=_storage(path),
                study_name=name,
                direction=direction,
                pruner=optuna.pruners.NopPruner(),
            )
        return cls(study, path)

    @classmethod
    def open(cls, path: Path, name: str) -> Study:
        """Open an existing study; `NasRnnError` where the journal cannot be read."""
        import optuna

        _quiet()
        try:
            study = optuna.load_study(
                storage=_storage(path), study_name=name, pruner=optuna.pruners.NopPruner()
            )
        except Exception as error:
            raise NasRnnError(
                f"the study {str(path)!r} cannot be read: {type(error).__name__}: {error}"
            ) from error
        return cls(study, path)

    @classmethod
    def resume(cls, path: Path, name: str) -> Study:
        """Open an existing study to continue it, without what a full disk or a kill left of its last line.

        What is appended behind a torn line would make the whole journal unreadable. Raises as `open`.
        """
        if path.is_file():
            with _explained(path), path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
                _clear_locks(path)
        return cls.open(path, name)

    def add(self, candidate: Candidate, **details: Any) -> int:
        """Record that a trial of ``candidate`` begins; return its number. `NasRnnError` where it cannot be written."""
        with _explained(self._path):
            trial = self._study.ask()
            # The cell's text is written last: a trial without it was never started, and is left out of `trials`.
            for key, value in (
                ("details", details),
                ("decisions", candidate.decisions),
                ("digest", candidate.digest),
                ("cell", candidate.cell.to_text()),
            ):
                trial.set_user_attr(key, value)
        self._open[trial.number] = trial
        return trial.number

    def finish(
        self,
        number: int,
        ending: Ending,
        value: float | None,
        reason: str | None = None,
        copy_of: int | None = None,
    ) -> None:
        """Record how trial ``number`` ended; ``value`` is its best validation metric so far, if it has one.

        Raises `NasRnnError` where that cannot be written; the trial then has no ending.
        """
        from optuna.trial import Trial as Asked
        from optuna.trial import TrialState

        trial = self._open.pop(number, None) or Asked(self._study, self._study.trials[number]._trial_id)
        told = {"ending": ending, "value": value, "reason": reason, "copy_of": copy_of}
        with _explained(self._path):
            trial.set_user_attr("ending", told)
            self._study.tell(
                trial, value if ending == "finished" else None, state=TrialState[_STATES[ending]]
            )

    def revise(self, number: int, ending: Ending, value: float | None, reason: str | None = None) -> None:
        """Record how a stopped trial ended that was taken on; Optuna itself lets nobody change one that ended."""
        with _explained(self._path):
            self._study.set_user_attr(
                f"{_TAKEN_ON}{number}", {"ending": ending, "value": value, "reason": reason}
            )

    def trials(self) -> list[Trial]:
        """Return all trials in their order."""
        found = self._study.get_trials(deepcopy=False)
        taken_on = self._study.user_attrs
        return [
            _read(trial, taken_on.get(f"{_TAKEN_ON}{trial.number}", {}))
            for trial in found
            if "cell" in trial.user_attrs
        ]


def _read(trial: FrozenTrial, taken_on: Mapping[str, Any]) -> Trial:
    first = trial.user_attrs.get("ending", {}) if trial.state.is_finished() else {}
    told = {**first, **taken_on}
    decisions: Decisions | None = trial.user_attrs["decisions"]
    return Trial(
        number=trial.number,
        candidate=Candidate(parse_cell(trial.user_attrs["cell"]), decisions),
        digest=trial.user_attrs["digest"],
        ending=told.get("ending"),
        value=told.get("value"),
        reason=told.get("reason"),
        copy_of=told.get("copy_of"),
        details=trial.user_attrs["details"],
        first_value=first.get("value"),
    )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NasRnnError(f"cannot write {path}: {error.strerror or error}") from error


def _storage(path: Path) -> JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    held: Any = _Held()  # of a base that Optuna does not make public
    return JournalStorage(JournalFileBackend(str(path), held))


class _Held:
    """The lock of a journal whose run folder this process holds: nobody else writes to it.

    Optuna's own locks are files, which a kill leaves behind: whoever resumed would wait half a minute for nobody.
    """

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _clear_locks(path: Path) -> None:
    """Remove what killed processes of earlier versions left of Optuna's locks."""
    for left in path.parent.glob(f"{path.name}.lock*"):
        left.unlink(missing_ok=True)


def _quiet() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
