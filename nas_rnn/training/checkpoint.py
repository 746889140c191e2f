"""Everything that continues a run exactly where it was, in one file.

One safetensors file holds all tensors, and the plain rest as JSON in its header: being a single file, it is
replaced in one step, and weights, optimiser and curve can never come from different epochs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from nas_rnn.errors import NasRnnError
from nas_rnn.outside import json_of
from nas_rnn.training.spec import EpochRecord, RunSpec

Tensors = dict[str, Tensor]
_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run after a completed epoch.

    ``average`` holds the averaged parameters, none where weights are not averaged; ``best`` the weights of the best
    epoch so far, averaged where they are; ``optimizer`` the optimiser's tensors as "index.name"; ``random`` the state
    of the run's random generators.
    """

    spec: RunSpec
    records: list[EpochRecord]
    weights: Tensors
    best: Tensors
    optimizer: Tensors
    average: Tensors = field(default_factory=dict)
    random: Tensors = field(default_factory=dict)


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return the checkpoint as the content of a safetensors file."""
    groups = {
        "weights": checkpoint.weights,
        "best": checkpoint.best,
        "optimizer": checkpoint.optimizer,
        "average": checkpoint.average,
        "random": checkpoint.random,
    }
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().clone().contiguous()
        for group, named in groups.items()
        for name, tensor in named.items()
    }
    plain = {
        "version": _VERSION,
        "spec": checkpoint.spec.to_dict(),
        "records": [record.to_dict() for record in checkpoint.records],
    }
    return safetensors.torch.save(tensors, metadata={"nas_rnn": json.dumps(plain, allow_nan=False)})


def from_bytes(content: bytes, place: str) -> Checkpoint:
    """Read the content of a checkpoint's file, which is at ``place``.

    Raises:
        NasRnnError: when it is not a whole checkpoint of this version.
    """
    groups: dict[str, Tensors] = {name: {} for name in ("weights", "best", "optimizer", "average", "random")}
    try:
        plain = _plain_part(content)
        if plain["version"] != _VERSION:
            raise ValueError(f"it has version {plain['version']}, and {_VERSION} is read")
        for key, tensor in safetensors.torch.load(content).items():
            group, _, name = key.partition("/")
            groups[group][name] = tensor
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise NasRnnError(
            f"{place} is no readable checkpoint ({error}); remove it to train from the start"
        ) from error
    records = [EpochRecord.from_dict(row) for row in plain["records"]]
    return Checkpoint(spec=RunSpec.from_dict(plain["spec"]), records=records, **groups)


def _plain_part(content: bytes) -> dict[str, Any]:
    """Return what `to_bytes` put into the header: 8 bytes give its length, then it is JSON."""
    length = int.from_bytes(content[:8], "little")
    if not 8 < length <= len(content) - 8:
        raise ValueError("its header is not whole")
    plain = json_of(json_of(content[8 : 8 + length])["__metadata__"]["nas_rnn"])
    if not isinstance(plain, dict):
        raise ValueError("its header is not an object")
    return plain
