"""What the parts before the final cost."""

from __future__ import annotations

from collections.abc import Iterable

from nas_rnn.comparison import Cost, cost_of
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.training import RunResult

PARTS = ("supernet", "search", "control", "selection", "tuning")


class Costs:
    """Adds up what the runs of each part took."""

    def __init__(self, folder: RunFolder) -> None:
        self._store, self._ended = folder.store, folder.ended
        self._results: dict[str, dict[str, RunResult]] = {}

    def add(self, part: str, results: Iterable[RunResult]) -> None:
        """Count the runs of a part; a run that was counted before counts once."""
        self._results.setdefault(part, {}).update({result.id: result for result in results})

    def add_stored(self, part: str, runs: Iterable[str]) -> None:
        """Count those of ``runs`` that have a result in the folder."""
        self.add(part, filter(None, (self._store(run).read_result() for run in runs)))

    def add_unchosen(self, part: str, prefix: str, but: str | None = None) -> None:
        """Count the runs whose ids begin with ``prefix``, and not with ``but``, whatever cells they are of.

        A search that was extended may have chosen other cells before.
        """
        runs = [run for run in self._ended() if run.startswith(prefix)]
        self.add_stored(part, (run for run in runs if but is None or not run.startswith(but)))

    def parts(self) -> list[Cost]:
        """Return what each part cost, in their order."""
        found = []
        for part in PARTS:
            if part in self._results:
                results = self._results[part]
                specs = filter(None, (self._store(id).read_spec() for id in results))
                found.append(cost_of(part, specs, results))
        return found
