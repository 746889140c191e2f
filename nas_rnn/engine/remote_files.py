"""Runs' files for workers on other machines: they lie with the driver, and workers reach them through Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nas_rnn.training import CannotStore
from nas_rnn.training.files import LocalFiles


class RunFileServer:
    """Keeps the files of all runs in one folder of the driver's machine; an actor on the driver's node."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def read(self, run: str, name: str) -> bytes | None:
        return LocalFiles(self._folder / run).read(name)

    def write(self, run: str, name: str, content: bytes) -> None:
        LocalFiles(self._folder / run).write(name, content)

    def append(self, run: str, name: str, content: bytes) -> None:
        LocalFiles(self._folder / run).append(name, content)

    def remove(self, run: str, name: str) -> None:
        LocalFiles(self._folder / run).remove(name)

    def clear_leftovers(self, run: str) -> None:
        LocalFiles(self._folder / run).clear_leftovers()


def start_file_server(folder: Path) -> Any:
    """Start a `RunFileServer` of ``folder`` on this machine's node and return its handle.

    It is started again if it dies.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(RunFileServer)
    return actor.options(scheduling_strategy=here).remote(str(folder))


class RemoteFiles:
    """The `nas_rnn.training.files.Files` of one run that a `RunFileServer` has.

    Each call returns when it is on disk there.
    """

    def __init__(self, server: Any, run: str) -> None:
        self._server = server
        self._run = run

    @property
    def place(self) -> str:
        return f"run {self._run} on the driver's machine"

    def read(self, name: str) -> bytes | None:
        content = _answer(self._server.read.remote(self._run, name))
        return None if content is None else bytes(content)

    def write(self, name: str, content: bytes) -> None:
        _answer(self._server.write.remote(self._run, name, content))

    def append(self, name: str, content: bytes) -> None:
        _answer(self._server.append.remote(self._run, name, content))

    def remove(self, name: str) -> None:
        _answer(self._server.remove.remote(self._run, name))

    def clear_leftovers(self) -> None:
        _answer(self._server.clear_leftovers.remote(self._run))


def _answer(reference: Any) -> Any:
    """Return what the server answers; what it raises is raised as it was, without Ray's wrapping and traceback."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, CannotStore) else error) from None
