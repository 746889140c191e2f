"""A few validation series that stay with a saved model, so that it can show what it does without the data.

Shapes: T steps, V variables, M numbers of steps that a model is asked after, C classes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.classes import some_of_each
from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.series.net import SeriesModel, scaled

MOST_EXAMPLES, MOST_EXAMPLE_BYTES = 48, 1 << 16
"""How many stay, and what they may take; long series are fewer."""
MOST_ASKED = 60
"""So many times at most, evenly apart, a model is asked while it reads a series."""


@dataclass(frozen=True, eq=False)
class Example:
    """A series (T, V) and the number of its class."""

    series: NDArray[Any]
    label: int


def kept(valid: Arrays, most_bytes: int = MOST_EXAMPLE_BYTES) -> dict[str, Any]:
    """Return the examples of a validation part as plain JSON, in turn one of each class."""
    lengths_N = valid["lengths"]
    each = int(lengths_N.max()) * valid["series"][0, 0].nbytes
    places = some_of_each(valid["labels"], min(MOST_EXAMPLES, most_bytes // each))
    series = [valid["series"][place, : lengths_N[place]] for place in places]
    return packed(series, valid["labels"][places].tolist())


def examples(meta: Mapping[str, Any]) -> list[Example]:
    """Return what `kept` gave."""
    return [Example(*both) for both in unpacked(meta["examples"], len(meta["mean"]))]


def packed(series: Sequence[NDArray[Any]], labels: list[Any]) -> dict[str, Any]:
    """Return series (T, V), all in 32 or all in 64 bits, and what belongs to each, plain JSON itself, as plain JSON."""
    values = b"".join(np.ascontiguousarray(one).tobytes() for one in series)
    return {
        "values": base64.b64encode(values).decode(),
        "lengths": [len(one) for one in series],
        "labels": labels,
        "double": bool(series) and series[0].dtype == np.float64,
    }


def unpacked(own: Mapping[str, Any], variables: int) -> list[tuple[NDArray[Any], Any]]:
    """Return what `packed` was given."""
    dtype = np.float64 if own.get("double") else np.float32
    values_SV = np.frombuffer(base64.b64decode(own["values"]), dtype=dtype).reshape(-1, variables)
    ends = np.cumsum(own["lengths"], dtype=np.int64)
    return list(zip(np.split(values_SV, ends[:-1]), own["labels"], strict=True)) if len(ends) else []


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model answers while it reads an example: ``logits`` (M, C) ``after`` M numbers of steps, the last all."""

    example: Example
    after: list[int]
    logits: Tensor

    def shares(self) -> NDArray[np.float64]:
        """Return the share of each class, (M, C)."""
        shares_MC: NDArray[np.float64] = torch.softmax(self.logits, dim=-1).numpy()
        return shares_MC


@torch.no_grad()
def read(net: SeriesModel, example: Example, meta: Mapping[str, Any]) -> Reading:
    """Return the answers of a net in evaluation mode if the example had ended earlier, as shorter series of a batch."""
    steps, device = len(example.series), next(net.parameters()).device
    after = sorted(
        {-(-steps * (place + 1) // min(steps, MOST_ASKED)) for place in range(min(steps, MOST_ASKED))}
    )
    series_TV = scaled(torch.from_numpy(example.series.copy()), meta["mean"], meta["deviation"]).to(device)
    series_TMV = series_TV[:, None].expand(-1, len(after), -1).contiguous()
    logits_MC, _ = net(series_TMV, None, torch.tensor(after, device=device))
    return Reading(example, after, logits_MC.double().cpu())
