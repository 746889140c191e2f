"""The loop over time as a recorded CUDA graph: all launches of the stepwise loop, handed to the GPU as one.

A graph computes on tensors of its own. What a sequence has is copied there, the graph is replayed, and what it wrote is
copied back; so nothing depends on where torch puts tensors. One is recorded when a shape comes for the second time, for
a cell, a direction, a dtype and a stream; `MOST` are kept, with a copy each of what a sequence holds.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.triton.launched import device_of
from nas_rnn.execution.fused.triton.stepwise import Stepwise

MOST = 8
"""How many graphs are kept, those that were used last."""
REMEMBERED = 64
"""How many shapes are remembered that came once."""
Replay = Callable[[], object]
Record = Callable[[Callable[[], None]], Replay]
"""Records what is launched by a function, which must do no more than that; returns what launches it again."""
_log = logging.getLogger(__name__)


def record_cuda(work: Callable[[], None]) -> Replay:
    """Record for CUDA; ``work`` is run twice beforehand, as what is compiled and allocated at first cannot be
    recorded."""
    current = torch.cuda.current_stream()
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        for _ in range(2):
            work()
    current.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may allocate meanwhile
        work()
    return graph.replay


RECORDERS: dict[str, Record] = {"cuda": record_cuda}
"""Kind of device -> how graphs are recorded there."""


class Graphed(Stepwise):
    """Step by step; recorded, where sequences have one length and do not begin anew within it."""

    def loop(self, direction: str) -> None:
        record = RECORDERS.get(self.x.device.type)
        changes = self.active is not None or self.restarts is not None
        within_another = self.x.is_cuda and torch.cuda.is_current_stream_capturing()
        if record is None or changes or within_another:
            super().loop(direction)
        else:
            with device_of(self.x):
                GRAPHS.run(self, direction, record)

    def held(self, direction: str) -> dict[str, Tensor]:
        """Return all that the loop reads or writes, by name."""
        found = {"x": self.x, "slots": self.slots, "moments": self.moments, **self.common, **self.parameters}
        for name, tensors in (("start", self.states), ("new", self.new), ("kept", self.kept)):
            found |= {f"{name}_{k}": tensor for k, tensor in enumerate(tensors)}
        if direction == "backward":
            found |= self.pointers
        return found

    def is_written(self, name: str, direction: str) -> bool:
        """Whether the loop writes to the tensor of this name."""
        if direction == "forward":
            return name in ("slots", "moments") or name.startswith(("new_", "kept_"))
        return name in ("slots", "gathered") or (name.startswith("d_") and name != "d_output")

    def twin(self, direction: str) -> Graphed:
        """Return a sequence of the same shapes in tensors of its own."""
        x, learned = torch.clone(self.x), torch.clone(self.learned)
        states, parameters = (list(map(torch.clone, t)) for t in (self.states, self.parameters.values()))
        twin = Graphed(self.kernels, self.products, None, None, x, learned, states, parameters)
        twin.slots, twin.moments = torch.clone(self.slots), torch.clone(self.moments)
        twin.new = [torch.clone(t) for t in self.new]
        twin.kept = [torch.clone(t) for t in self.kept]
        if direction == "backward":
            twin.pointers = {name: torch.clone(t) for name, t in self.pointers.items()}
        return twin

    def steps_of(self, direction: str) -> None:
        """Run the loop, and nothing from before: also the joined matrices are made within it."""
        self.merged.clear()
        super().loop(direction)


class _Graph:
    """A recorded loop and the tensors that it computes on."""

    def __init__(self, run: Graphed, direction: str, record: Record) -> None:
        self.direction, self.twin = direction, run.twin(direction)
        self.replay = record(lambda: self.twin.steps_of(direction))

    def run(self, run: Graphed) -> None:
        ours, theirs = run.held(self.direction), self.twin.held(self.direction)
        for name, tensor in theirs.items():
            tensor.copy_(ours[name])
        self.replay()
        for name, tensor in ours.items():
            if run.is_written(name, self.direction):
                tensor.copy_(theirs[name])


class Graphs:
    """The recorded loops of this process."""

    def __init__(self) -> None:
        self.known: OrderedDict[Hashable, _Graph | None] = OrderedDict()
        """None where recording failed."""
        self.seen: OrderedDict[Hashable, None] = OrderedDict()
        self.lock = Lock()

    def run(self, run: Graphed, direction: str, record: Record) -> None:
        """Run the loop of ``run``, from a graph where its shape is known."""
        with self.lock:  # a graph has one set of tensors
            graph = self.find(run, direction, record)
            if graph is not None:
                graph.run(run)
                return
        Stepwise.loop(run, direction)

    def find(self, run: Graphed, direction: str, record: Record) -> _Graph | None:
        key = _key(run, direction)
        if key in self.known:
            self.known.move_to_end(key)
            return self.known[key]
        if key not in self.seen:
            self.seen[key] = None
            _keep_last(self.seen, REMEMBERED)
            return None
        graph = None
        try:
            graph = _Graph(run, direction, record)
        except RuntimeError as error:  # also where there is no memory for the copies
            _log.warning("a loop over time is not recorded as a CUDA graph: %s", error)
        self.known[key] = graph
        _keep_last(self.known, MOST)
        return graph

    def clear(self) -> None:
        """Forget all graphs, and give their memory back."""
        with self.lock:
            self.known.clear()
            self.seen.clear()


def _keep_last(known: OrderedDict[Hashable, Any], most: int) -> None:
    while len(known) > most:
        known.popitem(last=False)


def _key(run: Graphed, direction: str) -> Hashable:
    device = run.x.device
    stream = torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
    exact = torch.backends.cuda.matmul.fp32_precision
    shapes = tuple((name, tensor.shape) for name, tensor in run.held(direction).items())
    return (run.layout, direction, shapes, run.x.dtype, run.products, exact, device, stream)


GRAPHS = Graphs()
