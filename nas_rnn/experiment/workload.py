"""How much a search or a comparison has to train in all: for the time that it will take, and what is left of it.

Work is counted in epochs of one run. How many a run needs is known once the baseline has come to its end; before that,
a range of lengths stands for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from nas_rnn.cells import Cell
from nas_rnn.comparison import interim_analyses
from nas_rnn.comparison.sentences import two_digits
from nas_rnn.experiment.events import Notifier, roughly
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.session import cluster_address
from nas_rnn.experiment.stages.halving import FEWEST, rungs_of, third_of, tuning_epochs
from nas_rnn.experiment.stages.selection import SEEDS, TOP
from nas_rnn.experiment.stages.tuning import FINALISTS
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.tasks import Batching
from nas_rnn.training.ending import SHORTEST


@dataclass(frozen=True)
class Work:
    """The runs of one phase, and how many epochs each of them trains there."""

    runs: int
    epochs: float


@dataclass(frozen=True)
class Workload:
    """What ``config`` asks for: ``cells`` that are tuned and trained in the final, the baseline among them.

    ``controls`` are trained in the final alone. With ``random_search`` there is a second search, as large as the first.
    ``supernet`` says how often an epoch of the supernet goes over the training part; 0: there is none.
    """

    config: SearchConfig | CompareConfig
    cells: int
    controls: int = 0
    random_search: bool = False
    supernet: int = 0

    @property
    def at_once(self) -> int:
        """How many runs are trained at once on this machine; in a cluster only progress shows it."""
        if cluster_address(self.config) is not None:
            return 1
        return max(1, self.config.workers or len(os.sched_getaffinity(0)) // self.config.threads)

    def lengths(self) -> tuple[int, int]:
        """Return how many epochs a run to its end may have, at least and at most, before anything is known."""
        if self.config.epochs != "auto":
            return self.config.epochs, self.config.epochs
        return min(SHORTEST, self.config.cap), self.config.cap

    def phases(self, length: int) -> Mapping[str, Work]:
        """Return the work of each phase, in their order, where a run to its end has ``length`` epochs."""
        found: dict[str, Work] = {}
        config = self.config
        length = max(1, length)
        if config.tune and config.epochs == "auto":
            found["length"] = Work(1, length)
        if isinstance(config, SearchConfig):
            found |= self._tuning("baseline", 1, length)
            epochs = self.supernet * (config.supernet_epochs or length)
            if epochs:
                found["supernet"] = Work(1, epochs)
            found |= self._candidates(config, "search", "halving", length, config.trials)
            found["selection"] = Work(TOP * SEEDS, length)
            if self.random_search:
                each = sum(
                    found[name].runs * found[name].epochs for name in ("search", "halving") if name in found
                )
                trials = config.trials + round(epochs * config.trials / each)
                found |= self._candidates(config, "control", "control-halving", length, trials)
                found["selection"] = Work(2 * TOP * SEEDS, length)
            found |= self._tuning("tuning", self.cells - 1, length)
        else:
            found |= self._tuning("tuning", self.cells, length)
        if isinstance(config, SearchConfig) and config.controls == "lstm-all":
            found["lstm-all"] = self._lstm_with_all(config, found, length)
        seeds = (
            next(iter(interim_analyses(config.most_seeds))).seeds if config.seeds == "auto" else config.seeds
        )
        found["final"] = Work(seeds * (self.cells + self.controls), length * config.longer)
        return found

    def _tuning(self, phase: str, cells: int, length: int) -> dict[str, Work]:
        tries = self.config.tune
        if not tries or not cells:
            return {}
        rungs = rungs_of(self.config.training(), length, most=1) if self.config.epochs == "auto" else ()
        if not rungs:
            return {phase: Work(tries * cells, length)}
        going_on = min(tries, max(FINALISTS, third_of(tries)) + 1)  # with the settings that were given
        further = going_on * (length - rungs[0]) / tries
        return {phase: Work(tries * cells, rungs[0] + max(0.0, further))}

    def _lstm_with_all(self, config: SearchConfig, before: Mapping[str, Work], length: int) -> Work:
        """Return the LSTM's tuning with as much as all ``before`` took, but for the random search."""
        spent = sum(
            work.runs * work.epochs for name, work in before.items() if not name.startswith("control")
        )
        each = tuning_epochs(config.training(), length)
        return Work(max(1, config.tune, round(spent / each)), each)

    def _candidates(
        self, config: SearchConfig, phase: str, further: str, length: int, trials: int
    ) -> dict[str, Work]:
        rungs = rungs_of(config.training(), length) if config.scheduler == "halving" else ()
        if not rungs:
            return {phase: Work(trials, length)}
        going, epochs = trials, 0.0
        for begin, end in zip(rungs, [*rungs[1:], max(length, *rungs)], strict=True):
            going = min(going, max(FEWEST, third_of(going)))
            epochs += going * (end - begin)
        return {phase: Work(trials, rungs[0]), further: Work(going, epochs / going)}

    def epochs(self, length: int) -> float:
        """Return all epochs."""
        return sum(work.runs * work.epochs for work in self.phases(length).values())

    def epochs_left(self, phase: str, runs: int, length: int) -> float:
        """Return the epochs that are left in ``phase``, in which ``runs`` have not ended, and after it.

        A phase that is not planned, such as the LSTM's tuning with all, has runs of the full length.
        """
        phases = self.phases(length)
        names = list(phases)
        own = phases[phase].epochs if phase in names else length
        after = names[names.index(phase) + 1 :] if phase in names else ["final"] * (phase == "lstm-all")
        return runs * own + sum(phases[name].runs * phases[name].epochs for name in after)


OVERHEAD = 1.3
"""What an epoch takes over the time of its training steps alone: validation, checkpoints, and runs beside it."""


def expected(workload: Workload, seconds_per_epoch: float) -> tuple[float, float]:
    """Return how long everything takes at least and at most, in seconds."""
    short, long = (
        OVERHEAD * workload.epochs(length) * seconds_per_epoch / workload.at_once
        for length in workload.lengths()
    )
    return short, max(short, long)


def tell_expected(models: Models, notify: Notifier, workload: Workload, baseline: Cell) -> None:
    """Tell how long everything will take on this machine, from the time of an epoch of the baseline.

    Nothing is told where other machines or GPUs do the work, whose speed is not known here.
    """
    config = models.config
    if cluster_address(config) is not None or config.gpus_per_trial:
        return
    seconds = seconds_per_epoch(models, baseline)
    if seconds is None:
        return
    short, long = map(roughly, expected(workload, seconds))
    number, _, unit = short.partition(" ")
    time = short if short == long else f"{number if long.endswith(f' {unit}') else short} to {long}"
    least, most = workload.lengths()
    runs = f"{least} to {most} epochs" if least < most else "1 epoch" if most == 1 else f"{most} epochs"
    took = f"an epoch of {baseline.name} takes {two_digits(seconds)} s here, and a run has {runs}"
    notify.warn(f"this takes about {time}: {took}")


def seconds_per_epoch(models: Models, baseline: Cell) -> float | None:
    """Return the seconds of training that an epoch of the baseline takes, None where that cannot be measured."""
    from nas_rnn.training.timing import seconds_per_step

    batching = Batching(batch=models.config.batch, length=models.config.length)
    try:
        spec = models.spec_of(models.baseline_entry(baseline))
        (seconds,) = seconds_per_step([spec], models.task, models.data)
        return seconds * sum(1 for _ in models.task.batches(models.data, "train", batching))
    except Exception:  # the run itself will say what is wrong, where it matters
        return None
