"""A search and a comparison that came to their ends, for all tests that only look at them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nas_rnn
from nas_rnn import plugins
from nas_rnn.experiment.events import Event, Progress
from nas_rnn.experiment.results import Result
from tests.experiment_runs import TINY, TINY_RUNS, write_text
from tests.in_process import in_process
from tests.stores import relocate

TEXT = "my-text.txt"
PLUGINS = "plugins"
SPACE = '''
from nas_rnn import linear, operation, search_space, sigmoid, tanh

swish = operation("test_swish", value="a * sigmoid(a)", derivative="sigmoid(a) + y * (1 - sigmoid(a))")
burst = operation("test_burst", value="exp(exp(exp(a + 9)))", derivative="y * exp(exp(a + 9)) * exp(a + 9)")


@search_space
def five(choose, x, h):
    """Five decisions, four cells: one diverges, and two are the same cell. All have an operation of this file."""
    act = choose("act", [tanh, sigmoid, swish, burst])
    is_first = act is not tanh or choose("way", ["x first", "h first"]) == "x first"
    return act(linear(x, h) if is_first else linear(h, x)) + 0.5 * swish(linear(h))
'''
SEARCH: dict[str, Any] = {
    **TINY,
    "filter": "none",  # so that one diverges
    "space": "five",
    "task_options": {"embedding": 6},
    "trials": 12,
    "scheduler": "none",
    "reference": "gru",
    "name": "mine",
}
COMPARISON: dict[str, Any] = {**TINY_RUNS, "tune": 9, "epochs": 1}
COMPARED = ("gru", "rnn")


@dataclass(frozen=True)
class Finished:
    """What a search or comparison called ``name`` told, and left in ``place``, beside its text and its plugins."""

    place: Path
    name: str
    result: Result
    events: tuple[Event, ...]

    @property
    def runs(self) -> Path:
        return self.place / "runs"

    @property
    def folder(self) -> Path:
        return self.runs / self.name

    def copied(self, place: Path) -> Path:
        """Return ``place`` with a copy of everything, to be changed at will; the text and the plugins it names stay."""
        shutil.copytree(self.place, place, dirs_exist_ok=True)
        relocate(place / "runs" / "mlflow.db", self.runs, place / "runs")
        return place

    def use_plugins(self) -> None:
        """Have this process know what the search was made of, as after searching by itself."""
        plugins.use_folders([self.place / PLUGINS]).names("operation")


def finish_search(place: Path) -> Finished:
    """Run the search that others look at."""
    (place / PLUGINS).mkdir()
    (place / PLUGINS / "five.py").write_text(SPACE)
    text, events = write_text(place / TEXT), list[Event]()

    def observe(event: Event, progress: Progress) -> None:
        events.append(event)

    with in_process(pictures=True):
        result = nas_rnn.search(
            **SEARCH, data=text, plugins=(place / PLUGINS,), runs=place / "runs", observer=observe
        )
    return Finished(place, "mine", result, tuple(events))


def finish_comparison(place: Path) -> Finished:
    """Run the comparison that others look at."""
    text = write_text(place / TEXT)
    with in_process(pictures=True):
        result = nas_rnn.compare(*COMPARED, **COMPARISON, data=text, name="whole", runs=place / "runs")
    return Finished(place, "whole", result, ())
