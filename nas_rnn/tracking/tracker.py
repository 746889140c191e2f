"""The tracker: takes views at once, writes them in the background, and outlives a server that goes away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType

from nas_rnn.tracking.changes import NOTE_TAG
from nas_rnn.tracking.links import SHARED_VIEW_TAG, shared_view, with_addresses
from nas_rnn.tracking.queueing import ViewQueue
from nas_rnn.tracking.quiet import is_http, is_of_network, reason, without_password
from nas_rnn.tracking.store import check_uri, describe_experiment, open_experiment, open_store
from nas_rnn.tracking.view import ExperimentView, RunView
from nas_rnn.tracking.writer import RunWriter


class Tracker:
    """Shows runs in an experiment of MLflow, by its name or as described, in the store or server at ``uri``.

    ``put`` only takes note of a view; one thread writes, and where views come faster than it can write, the
    newest of each run counts. Whatever happens to the store, nothing raises here or holds the caller up: a
    view that could not be written is kept, tried again with growing pauses, and once more by ``close``. To be
    closed at the end, or used as a context manager. ``failures`` counts attempts that failed; ``notices`` are
    worth telling but no problem.

    ``note`` (markdown, with `run_link`s) is shown above the experiment's table of runs, which ``experiment_url``
    opens with ``columns`` (``"metrics.gap_to_lstm"``, ``"tags.verdict"``, ...), ascending by the metric ``sort_by``.

    Raises UserError for a ``uri`` that MLflow knows no store for.
    """

    def __init__(
        self,
        uri: str,
        experiment: str | ExperimentView,
        artifact_root: Path,
        *,
        note: str = "",
        columns: Sequence[str] = (),
        sort_by: str = "gap_to_lstm",
    ) -> None:
        check_uri(uri)
        self._shared_view = {SHARED_VIEW_TAG: shared_view(columns, sort_by)} if columns else {}
        self._note = note
        self._described: str | None = None
        self.uri = uri
        self.experiment = ExperimentView(name=experiment) if isinstance(experiment, str) else experiment
        self.failures = 0
        self.notices: list[str] = []
        self._artifact_root = Path(artifact_root)
        self._writer: RunWriter | None = None
        self._queue = ViewQueue()
        self._errors: dict[str, bool] = {}
        self._out_of_reach = False
        self._refusal = ""
        self._thread = Thread(target=self._work, name="nas-rnn-tracking", daemon=True)
        self._thread.start()

    def put(self, view: RunView) -> None:
        """Have the run of ``view`` look so, soon; never a second run or point for the same ``view.key``.

        Raises ValueError where the view's parent was not put before.
        """
        self._queue.put(view)

    def describe(self, note: str) -> None:
        """Have ``note`` shown above the table, soon after the view that is put next."""
        self._note = note

    @property
    def pending(self) -> tuple[str, ...]:
        """Keys of the views that are not written yet."""
        return self._queue.pending

    @property
    def problems(self) -> list[str]:
        """What is not as it should be at this moment, one message for each kind of problem."""
        pending = self.pending
        refused = [key for key in pending if self._errors.get(key, True) is False]
        silent = len(pending) - len(refused)
        where = f"MLflow at {without_password(self.uri)}"
        found = []
        if silent and self._out_of_reach:
            found.append(f"{where} did not answer; {_runs(silent)} not written yet")
        elif silent and self._queue.closed:
            found.append(f"{where} did not finish in time; {_runs(silent)} not written yet")
        if refused:
            found.append(f"{where} could not write: {self._refusal}; {_runs(len(refused))} not written yet")
        fixed = sorted(self._writer.fixed_params) if self._writer is not None else []
        if fixed:
            key, name = fixed[0]
            found.append(
                f"{where} keeps the first value of a parameter: {len(fixed)} now differ from what an earlier "
                f"search wrote, the first is {name!r} of run {key!r}"
            )
        return found

    def flush(self, timeout: float) -> bool:
        """Wait until everything put so far is written, ``timeout`` seconds at most; return whether it is."""
        return self._queue.wait_empty(timeout)

    def close(self, timeout: float = 30.0) -> list[str]:
        """Try everything left once more, for ``timeout`` seconds at most; return the problems that remain."""
        self._queue.close()
        self._thread.join(timeout)
        self._queue.abandon()
        return self.problems

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while (view := self._queue.next()) is not None:
            try:
                writer = self._open()
                writer.write(view)
                self._describe(writer)
            except Exception as error:
                self._note_failure(view.key, error)
                self._queue.failed(view)
            else:
                self._out_of_reach = False
                self._errors.pop(view.key, None)
                self._queue.written(view)

    def _open(self) -> RunWriter:
        if self._writer is None:
            client = open_store(self.uri, self._artifact_root)
            experiment, restored = open_experiment(client, self.uri, self.experiment, self._artifact_root)
            if restored:
                self.notices.append(
                    f"the MLflow experiment {experiment.name!r} had been deleted; it is back, with its runs"
                )
            root = None if is_http(self.uri) else self._artifact_root
            self._writer = RunWriter(client, experiment.experiment_id, root)
        return self._writer

    def _describe(self, writer: RunWriter) -> None:
        """Show the newest note and the table, unless that is done."""
        note = self._note
        if self._described != note:
            tags = {NOTE_TAG: with_addresses(note, writer.address)} if note else {}
            describe_experiment(writer.client, writer.experiment_id, tags | self._shared_view)
            self._described = note

    def _note_failure(self, key: str, error: Exception) -> None:
        self.failures += 1
        self._out_of_reach = is_http(self.uri) and is_of_network(error)
        self._errors[key] = self._out_of_reach
        if not self._out_of_reach:
            self._refusal = reason(error)[:300]


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count} runs are"
