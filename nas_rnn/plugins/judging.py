"""Which objects of a module are plugins, and what is wrong with those that cannot be registered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from nas_rnn.cells import Cell, Operation
from nas_rnn.cells.graph.operations import BUILT_IN
from nas_rnn.cells.graph.verify import violations
from nas_rnn.plugins.records import GROUPS

STATED = {
    "space": ("doc", "sample"),
    "task": ("summary", "metrics", "unit", "item"),
    "strategy": ("summary", "ask", "tell"),
    "cell": (),
    "operation": (),
}
"""What an object of each kind states besides its name."""

EARLIER_TASKS = (
    "a task now states metrics = (Mean(...),), and has build(meta, make_rnn, regularisation) -> TaskModel with a loss, "
    "batches(data, part, batching) -> Batch, and preview(model, data, seed, options); "
    'see "Write your own task" in docs/plugins.md'
)
"""What whoever wrote a task for the interface before this one must change."""

CLASSES = ("task", "strategy")
"""Kinds that are registered as classes; the others are values."""


def plugins_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield what ``module`` defines or imports that is meant to be registered, with the name it has there.

    Base classes (without a name of their own), types of values and the table's own rows are not meant.
    """
    for name, value in list(vars(module).items()):
        kind = inspect.getattr_static(value, "plugin_kind", None)
        if name.startswith("_") or not isinstance(kind, str):
            continue
        if inspect.isclass(value) and (
            kind not in CLASSES or inspect.getattr_static(value, "name", None) is None
        ):
            continue
        if not (isinstance(value, Operation) and value.name in BUILT_IN):
            yield name, value


def refusal(value: Any) -> str | None:
    """Return why ``value`` cannot be registered, or None where it can."""
    kind, name = getattr(value, "plugin_kind", None), getattr(value, "name", None)
    if not isinstance(kind, str) or kind not in GROUPS:
        return f"it is none of {', '.join(GROUPS)}"
    if not isinstance(name, str) or not re.fullmatch(r"[^\s/\\]+", name):
        return f"the name of a {kind} is a text without spaces and slashes, not {name!r}"
    if (kind in CLASSES) != inspect.isclass(value):
        return f"a {kind} is {'a class' if kind in CLASSES else 'a value, not a class'}"
    if (kind == "cell" and not isinstance(value, Cell)) or (
        kind == "operation" and not isinstance(value, Operation)
    ):
        return f"it is not a {kind} but a {type(value).__name__}"
    if kind == "task" and hasattr(value, "item_scores"):
        return f"the task {name!r} was written for an earlier interface: {EARLIER_TASKS}"
    if inspect.isabstract(value):
        return f"the {kind} {name!r} lacks {', '.join(sorted(value.__abstractmethods__))}"
    missing = [stated for stated in STATED[kind] if not hasattr(value, stated)]
    return f"the {kind} {name!r} lacks {', '.join(missing)}" if missing else None


def unusable_sample(space: Any) -> str | None:
    """Return what is wrong with the first candidate of ``space``, or None; what the space raises goes through."""
    candidate = space.sample(0)
    cell = getattr(candidate, "cell", None)
    if not isinstance(cell, Cell):
        return f"the space {space.name!r} samples {candidate!r:.80}, which is no candidate"
    broken = [" ".join(text.split()) for text in violations(cell)]
    return (
        f"the space {space.name!r} samples a cell that breaks rules: {'; '.join(broken)}" if broken else None
    )
