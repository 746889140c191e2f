"""Where a run computes, with how many threads, and from which random stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from nas_rnn.errors import UserError


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu", "cuda" or "cuda:1".

    Raises:
        UserError: when this process can use no such device.
    """
    if name == "auto":
        return (
            torch.device("cuda", torch.cuda.current_device())
            if torch.cuda.is_available()
            else torch.device("cpu")
        )
    kind, _, number = name.partition(":")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = torch.cuda.current_device() if not number and count else int(number or 0)
        if index >= count:
            raise UserError(f"device {name!r} is not there: this process sees {count} GPUs; use auto or cpu")
        return torch.device("cuda", index)
    return torch.device(name)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class RandomStream:
    """A run's own random numbers: code inside `drawing` draws from them, and the process's own do not move.

    So runs that share a process, one after another or in turns, cannot change each other's numbers.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        with self._kept():
            torch.manual_seed(seed)
            self._state = self._capture()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        with self._kept():
            self._apply()
            try:
                yield
            finally:
                self._state = self._capture()

    def state(self) -> dict[str, Tensor]:
        """Return where the stream is, as byte tensors by device type."""
        return dict(self._state)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`; a part for a device that this run does not use is left out."""
        self._state.update({name: value for name, value in state.items() if name in self._state})

    def _kept(self) -> AbstractContextManager[None]:
        devices = [self._device] if self._device.type == "cuda" else []
        return torch.random.fork_rng(devices=devices)

    def _capture(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    def _apply(self) -> None:
        torch.set_rng_state(self._state["cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._state["cuda"], self._device)
