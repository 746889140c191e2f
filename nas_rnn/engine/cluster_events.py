"""What there is to tell of a cluster while runs train: nodes that leave and join, and what Ray itself reports."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nas_rnn.engine.preflight import Resources, node_name, nodes_alive

_LOOK_SECONDS = 5.0
_TOLD_OTHERWISE = ("has been marked dead", "Raylet is terminated")
_LONGEST_REPORT = 300


class ClusterEvents:
    """Tells, through ``notify``, how the cluster changed since it was asked last.

    ``places`` counts the runs that nodes have room for. `look` is to be called often, on the thread for ``notify``.
    """

    def __init__(self, notify: Callable[[str], None], places: Callable[[list[Resources]], int]) -> None:
        self._notify = notify
        self._places = places
        self._reported: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._heard: set[str] = set()
        nodes = nodes_alive()
        self._known = {node["NodeID"]: node_name(node) for node in nodes}
        self._next = time.monotonic() + _LOOK_SECONDS
        self._notify(f"the cluster has {self._describe(nodes)}")

    def look(self) -> None:
        """Tell what is new, if it is time to look again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_SECONDS
        while not self._reported.empty():
            self._notify(f"Ray reports: {self._reported.get()}")
        nodes = nodes_alive()
        now = {node["NodeID"]: node_name(node) for node in nodes}
        left = [name for id, name in self._known.items() if id not in now]
        joined = [name for id, name in now.items() if id not in self._known]
        self._known = now
        for name in left:
            self._notify(f"node {name} has left; the cluster has {self._describe(nodes)}")
        for name in joined:
            self._notify(f"node {name} has joined; the cluster has {self._describe(nodes)}")
        if (left or joined) and not self._places([node["Resources"] for node in nodes]):
            self._notify(
                "no node has room for a run: runs wait for one (Ctrl-C stops the search, --resume continues it)"
            )

    def _describe(self, nodes: list[dict[str, Any]]) -> str:
        total = {kind: sum(node["Resources"].get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU")}
        gpus = f" and {_count(total['GPU'], 'GPU')}" if total["GPU"] else ""
        places = self._places([node["Resources"] for node in nodes])
        return (
            f"{_count(len(nodes), 'node')} with {_count(total['CPU'], 'CPU core')}{gpus}, "
            f"room for {_count(places, 'run')}"
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over what Ray would print of the cluster's troubles, between the lines of ours, on standard output."""
        from ray._private import worker

        own = worker.print_to_stdstream
        worker.print_to_stdstream = self._hear
        try:
            yield
        finally:
            worker.print_to_stdstream = own

    def _hear(self, data: dict[str, Any], ignore_prefix: bool = False) -> None:
        first = next(iter("\n".join(data["lines"]).strip().splitlines()), "")  # pages of a log may follow
        text = first if len(first) <= _LONGEST_REPORT else first[:_LONGEST_REPORT] + " ..."
        if text and text not in self._heard and not any(known in text for known in _TOLD_OTHERWISE):
            self._heard.add(text)
            self._reported.put(text)


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
