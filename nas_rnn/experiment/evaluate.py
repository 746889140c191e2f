"""A study that is driven from outside: somebody proposes cells, and each is measured against the best so far.

Everything is decided on validation data; the test part stays sealed until `OutsideStudy.promote`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.verify import verify
from nas_rnn.errors import UserError, suggest
from nas_rnn.experiment.asking import Proposal, loss_of, propose
from nas_rnn.experiment.challenge import Challenger, Runs, first_incumbent, measured
from nas_rnn.experiment.events import Observer, silent
from nas_rnn.experiment.feedback import Feedback, known_again, problem_of
from nas_rnn.experiment.feedback_words import problem_words
from nas_rnn.experiment.keywords import EvaluateOptions
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.promote import PromoteOptions, promote
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.study_folder import begin_study, begun, find_study, folder_of, found_study, models_of
from nas_rnn.options import declared
from nas_rnn.outside import is_file
from nas_rnn.run_folder.config import SMOKE_WARNING
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.run_folder.journal import EventKind, Journal, JournalEvent
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.lifecycle import merged
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.values import seconds as read_seconds

Say = Callable[[str], None]
"""Hears a line of progress."""


def say_nothing(line: str) -> None:
    """Hear a line, and do nothing."""


class OutsideStudy:
    """A study under ``runs`` for somebody else's proposals: a person's, a script's, a language model's.

    `open` makes it, or finds it again. Each call holds the folder for as long as it takes, and waits for other
    processes that do; what is done is on disk at once, so a call that was killed goes on when it is repeated.
    """

    def __init__(
        self, folder: RunFolder, config: EvaluateConfig, say: Say, models: Models | None = None
    ) -> None:
        self.config = config
        self._folder = folder
        self._say = say
        self._journal = Journal(folder)
        self._loaded = models

    @classmethod
    def open(
        cls,
        name: str,
        *,
        config: Path | None = None,
        runs: str | Path = "runs",
        say: Say = say_nothing,
        **options: Unpack[EvaluateOptions],
    ) -> OutsideStudy:
        """Return the study ``name``, which begins now where there is none yet.

        ``options`` (docs/options.md) take precedence over the TOML file ``config``; both are kept with the study, and
        later calls may leave them out. Raises UserError for a mistake in them, or where they contradict the study's.
        """
        values = merged(config, options)
        known = declared(EvaluateConfig)
        for option in values:
            if option not in known:
                raise UserError(f"unknown option {option!r}{suggest(option, known)}")
        folder = folder_of(Path(runs), name)
        if folder.config_path.is_file():
            return cls(folder, found_study(folder, values), say)
        begun_folder, settings, models = begin_study(Path(runs), name, values, _waiting(name, say))
        for notice in () if models is None else (SMOKE_WARNING if settings.smoke else "", *models.notices()):
            if notice:
                say(notice)
        return cls(begun_folder, settings, say, models)

    @classmethod
    def existing(cls, name: str, *, runs: str | Path = "runs", say: Say = say_nothing) -> OutsideStudy:
        """Return the study ``name``; UserError where there is none."""
        folder = find_study(Path(runs), name)
        return cls(folder, found_study(folder, {}), say)

    @property
    def name(self) -> str:
        """The study's name."""
        return self._folder.name

    @property
    def folder(self) -> Path:
        """Where everything of the study lies."""
        return self._folder.path

    @property
    def baseline(self) -> Cell:
        """The first incumbent."""
        return parse_cell(RunReader(self._folder).cells()[0])

    @property
    def incumbent(self) -> Cell:
        """The best cell so far: the last that was called better than the incumbent before it."""
        event = self._journal.incumbent()
        return self.baseline if event is None else parse_cell(event.cell)

    def evaluate(self, cell: str | Cell, *, source: str = "", seconds: float | str | None = None) -> Feedback:
        """Measure a cell, or the cell of a text, against the incumbent; return what there is to say of it.

        ``source`` is what to call it in messages. A cell that was evaluated before is not trained again. After
        ``seconds`` (or a duration such as "30m") the feedback is "unfinished", and the next call goes on. A text that
        cannot be read, and a cell that diverges, are feedback, not errors.

        Raises UserError where the first incumbent diverges with the study's options, NasRnnError where nothing can be
        written or the first incumbent cannot be trained.
        """
        source = source or (cell.name if isinstance(cell, Cell) else "the text")
        limit = limit_of(seconds)
        deadline = None if limit is None else time.monotonic() + limit
        try:
            found = _parsed(cell)
            verify(found)
        except UserError as error:
            return _unreadable(source, cell, error)
        with self._held():
            return self._evaluated(found, source, deadline)

    def _evaluated(self, cell: Cell, source: str, deadline: float | None) -> Feedback:
        kept = self._journal.last("ended", cell.digest)
        if kept is not None:
            return known_again(Feedback.from_dict(kept.details), source, self.incumbent.digest)
        runs = Runs(self._folder, self._models, self._say, deadline)
        baseline = self.baseline
        try:
            first = self._challenger(baseline, None)
            own = first if cell.digest == baseline.digest else self._challenger(cell, first)
        except UserError as error:
            return _refused(source, cell, error)
        leading = self.incumbent
        if own is first:
            return replace(
                first_incumbent(runs, first), source=source, incumbent=leading.digest == cell.digest
            )
        incumbent = first if leading.digest == baseline.digest else self._challenger(leading, first)
        found = replace(measured(runs, own, incumbent, first), source=source)
        if found.status in ("measured", "diverged"):
            found = replace(found, incumbent=found.verdict == "better")
            self._journal.add(_event("ended", own.cell, found.to_dict()))
        return found

    def _challenger(self, cell: Cell, first: Challenger | None) -> Challenger:
        """Return a cell as it takes part, with the text and the size with which its training began."""
        before = self._journal.last("begun", cell.digest)
        if before is not None:
            return Challenger.again(
                self._models, parse_cell(before.cell), before.details["hidden_size"], first
            )
        found = Challenger.of(self._models, cell, first)
        self._journal.add(begun(cell, found.entry.hidden_size))
        return found

    def ask(
        self, *, strategy: str = "random", space: str = "gated", constraints: Sequence[str] = ()
    ) -> Proposal:
        """Return the next candidate of a strategy, which has heard of all that was evaluated and told so far.

        Raises UserError where there is no such strategy or space, or they do not fit; NasRnnError where there is no
        more candidate.
        """
        with self._held():
            proposal = propose(
                self._folder, self.config, self._journal.events(), strategy, space, constraints
            )
            details = {"strategy": strategy, "space": space, "decisions": proposal.decisions}
            self._journal.add(_event("asked", proposal.cell, details))
        return proposal

    def tell(self, cell: str | Cell, value: float | None, reason: str = "") -> None:
        """Have strategies know what became of a cell elsewhere.

        ``value`` is in the units of the study's figures on validation data; None: it diverged, failed or was rejected,
        for a ``reason``. It makes no cell the incumbent, and `evaluate` would still measure it.

        Raises UserError for a text that is no cell, or a value that is no finite number.
        """
        found = _parsed(cell)
        if value is not None:
            loss_of(self._folder, value)
        with self._held():
            self._journal.add(_event("told", found, {"value": value, "reason": reason}))

    def promote(
        self, *, again: bool = False, observer: Observer = silent, **options: Unpack[PromoteOptions]
    ) -> Result:
        """Run the final once: the incumbent against the first incumbent, on fresh seeds and the test part.

        It is a comparison in a folder of its own; ``options`` are those of `nas_rnn.compare`. A call with the same
        incumbent goes on with it, or returns its answer. Another incumbent would read the test part again: that needs
        ``again``, or a ``fresh_test``.

        Raises UserError where no cell was called better yet, or the test part was read.
        """
        with self._held():
            asked = promote(self._folder, self.config, self._journal, self.baseline, again, options)
        return asked(observer)

    @property
    def _models(self) -> Models:
        """The study's task, data and sizes, which take time to load."""
        if self._loaded is None:
            self._loaded = models_of(self._folder, self.config)
        return self._loaded

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        with self._folder.hold_in_turn(_waiting(self.name, self._say)).held("evaluate", new=False):
            yield


def limit_of(seconds: float | str | None) -> float | None:
    """Return a number of seconds, or a duration such as "30m", in seconds; UserError for anything else."""
    try:
        return None if seconds is None else float(str(read_seconds(seconds)))
    except ValueError as error:
        raise UserError(f"time: {error}") from None


def _parsed(cell: str | Cell) -> Cell:
    """Return a cell, or that of a text, which may have operations of plugins."""
    if isinstance(cell, Cell):
        return cell
    plugins.registry().names("operation")
    return parse_cell(cell)


def cell_file(given: str) -> str | None:
    """Return the content of a cell's file, as it is; None where ``given`` is no file's name but perhaps a cell's.

    What is no UTF-8 becomes characters that no cell has. Raises UserError where the file cannot be read.
    """
    path = Path(given)
    if path.suffix != ".cell" and not is_file(path):
        return None
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read the cell file {given!r}: {error.strerror or error}") from None


def _waiting(name: str, say: Say) -> Callable[[str], None]:
    return lambda holder: say(f"the study {name!r} is in use by {holder}; waiting for it")


def _event(kind: EventKind, cell: Cell, details: Mapping[str, object]) -> JournalEvent:
    return JournalEvent(kind=kind, digest=cell.digest, name=cell.name, cell=cell.to_text(), details=details)


def _unreadable(source: str, cell: str | Cell, error: UserError) -> Feedback:
    text = cell.to_text() if isinstance(cell, Cell) else cell
    problem = problem_of(text, str(error))
    return Feedback(
        source=source,
        status="unparsable",
        name="",
        problem=problem,
        reason=problem.rule,
        words=problem_words(source, problem),
    )


def _refused(source: str, cell: Cell, error: UserError) -> Feedback:
    problem = problem_of(cell.to_text(), str(error))
    return Feedback(
        source=source,
        status="refused",
        name=cell.name,
        digest=cell.digest,
        problem=problem,
        reason=problem.rule,
        words=problem_words(f"`{cell.name}`", problem, read=True),
    )
