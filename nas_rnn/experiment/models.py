"""The models of one search or comparison: its task and data, sizes, and specs of its runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Entry, Match, TaskChoice, few_seeds, nearest_hidden_size
from nas_rnn.errors import UserError
from nas_rnn.outside import require_reachable
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.fresh_test import FreshTest
from nas_rnn.tasks import Batching, Measures, Statistics, Task, TaskData, check_meta
from nas_rnn.tasks.options import require_effective, typed
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.spec import Role

C = TypeVar("C", SearchConfig, CompareConfig)


@dataclass(frozen=True)
class Models:
    """What a configuration says of every model that is trained.

    ``data`` is loaded already; its test part was cut where ``fresh`` says, or is the task's own.
    """

    config: SearchConfig | CompareConfig
    task: Task
    data: TaskData
    fresh: FreshTest | None = None

    @classmethod
    def prepare(cls, config: C, given: Collection[str]) -> tuple[C, Models]:
        """Load the plugins, the task and its data; every `UserError` about them comes from here.

        What the task recommends for training counts where it is not among the ``given`` options: the configuration
        that comes back has it.
        """
        plugins.use_folders(config.plugins)
        plugin = plugins.registry().find("task", config.task)
        # To read data may take long, and be meant so.
        with plugins.running(plugin, seconds=math.inf, passing=(UserError,)):
            config = replace(config, task_options=typed(plugin.value.Options, config.task_options))
            task = plugin.value(**config.task_options)
            require_effective(task.options, task.name)
            recommended = task.recommended_training()
            config = replace(config, **{name: recommended[name] for name in recommended if name not in given})
            if config.data is not None:
                require_reachable(config.data)
            data = task.load(config.data)
            if not isinstance(data, TaskData):
                raise TypeError(f"load returns a TaskData, not {data!r:.80}")
            check_meta(task, data.meta, f"the meta of the task {task.name!r}")
            from nas_rnn.tasks.checks import require_sound  # loads torch

            require_sound(task, data, Batching(batch=config.batch, length=config.length))
        return config, cls(config, task, data)

    def with_fresh_test(self, cut: FreshTest) -> Models:
        """Return the same on data whose test part is cut from the training part."""
        from nas_rnn.tasks.checks import require_sound  # loads torch

        plugin = plugins.registry().find("task", self.task.name)
        with plugins.running(plugin, seconds=math.inf, passing=(UserError,)):
            data = self.task.fresh_test(self.data, cut.begins, cut.ends)
            require_sound(self.task, data, Batching(batch=self.config.batch, length=self.config.length))
        return Models(self.config, self.task, data, cut)

    @cached_property
    def measures(self) -> Measures:
        """What is measured on these data."""
        return self.task.measures(self.data.meta)

    def notices(self) -> tuple[str, ...]:
        """Return what the task says of its data."""
        with plugins.running(plugins.registry().find("task", self.task.name), seconds=math.inf):
            return self.task.notices(self.data)

    @property
    def few_seeds(self) -> str:
        """What the final cannot say with so few seeds as there will be at most; "" where they are enough.

        A smoke run says nothing of cells in any case.
        """
        if self.config.smoke:
            return ""
        seeds = self.config.seeds
        return few_seeds(self.config.most_seeds if seeds == "auto" else seeds)

    @property
    def measured_data(self) -> TaskData:
        """The data as runs have them: in a smoke run validation stands in for the test part, which nothing reads then.

        Who tries a search on their data has not looked at what it will be judged by.
        """
        return self.data.with_valid_as_test() if self.config.smoke else self.data

    def floors(self) -> Mapping[str, Statistics]:
        """Return the task's trivial baselines on the test part: only a final may ask for them."""
        with plugins.running(plugins.registry().find("task", self.task.name), seconds=math.inf):
            return self.task.floors(self.measured_data)

    @property
    def choice(self) -> TaskChoice:
        return TaskChoice(self.task.name, dict(self.config.task_options))

    def match(self, cell: Cell, target: int) -> Match:
        """Return the hidden size at which the whole model of ``cell`` is nearest to ``target`` parameters."""
        with plugins.running(plugins.registry().find("task", self.task.name), passing=(UserError,)):
            return nearest_hidden_size(
                lambda size: self.count(cell, size), target, multiple_of=self.size_step(cell)
            )

    def size_step(self, cell: Cell) -> int:
        """Return of what a hidden size of ``cell`` must be a multiple, since its heads share it out."""
        return math.lcm(*(getattr(node, "heads", 1) for node in cell.nodes))

    def count(self, cell: Cell, hidden_size: int) -> int:
        """Return how many parameters the whole model has."""
        from nas_rnn.training.model import count_parameters

        return count_parameters(self.spec("count", "candidate", cell, hidden_size), self.task, self.data.meta)

    def input_sizes(self, cell: Cell, hidden_size: int) -> list[int]:
        """Return the input sizes of the recurrent nets of the whole model, each once."""
        from nas_rnn.training.model import input_sizes

        return input_sizes(self.spec("count", "candidate", cell, hidden_size), self.task, self.data.meta)

    def spec(
        self,
        id: str,
        role: Role,
        cell: Cell,
        hidden_size: int,
        seed: int = 0,
        data_seed: int = 0,
        training: TrainingOptions | None = None,
    ) -> RunSpec:
        """Return the spec of a run of the search itself, trained as configured or with options of its own."""
        return RunSpec(
            id=id,
            role=role,
            name=cell.name,
            cell=cell.to_text(),
            hidden_size=hidden_size,
            task=self.task.name,
            task_options=dict(self.config.task_options),
            training=replace(training or self.config.training(), longer=1.0),  # that is for final runs
            seed=seed,
            data_seed=data_seed,
        )

    def entry(self, cell: Cell, baseline: Entry, *, score: float | None = None) -> Entry:
        """Return ``cell`` as it enters a comparison, of the baseline's parameters or, so configured, hidden size."""
        if self.config.match == "hidden":
            step = self.size_step(cell)
            size = max(step, round(baseline.hidden_size / step) * step)
        else:
            size = self.match(cell, baseline.parameters).hidden_size
        return self.entry_of_size(cell, size, baseline, score=score)

    def entry_of_size(
        self, cell: Cell, hidden_size: int, baseline: Entry | None, *, score: float | None = None
    ) -> Entry:
        """Return ``cell`` as it enters a comparison with this hidden size."""
        parameters = self.count(cell, hidden_size)
        return Entry(
            name=cell.name,
            cell=cell.to_text(),
            digest=cell.digest,
            hidden_size=hidden_size,
            parameters=parameters,
            mismatch=0.0 if baseline is None else parameters / baseline.parameters - 1,
            training=self.config.training(),
            tuned_over=self.config.tuned_over(),
            score=score,
        )

    def baseline_entry(self, cell: Cell) -> Entry:
        """Return the baseline as it enters a comparison: of the size asked for, and itself the measure of it."""
        return self.entry_of_size(cell, self.match(cell, self.config.params).hidden_size, None)

    def as_given(self, entry: Entry) -> Entry:
        """Return ``entry`` with the training that was configured."""
        return replace(entry, training=self.config.training(), second=None)

    def spec_of(self, entry: Entry) -> RunSpec:
        """Return the spec of a run that only measures ``entry``."""
        return self.spec("timing", "candidate", parse_cell(entry.cell), entry.hidden_size)
