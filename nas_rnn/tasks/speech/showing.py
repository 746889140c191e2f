"""What a model of speech does, as text: a spectrogram in shades, and the labels that are told, with their frames."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.errors import UserError, unknown
from nas_rnn.tasks.answers import require_showable, spans
from nas_rnn.tasks.series.examples import unpacked
from nas_rnn.tasks.series.net import scaled
from nas_rnn.tasks.series.showing import SHOWN, WIDEST, Drawn, bars, levels, value_ranges
from nas_rnn.tasks.speech.model import Transcriber
from nas_rnn.tasks.speech.scores import told_statistics
from nas_rnn.tasks.task import PreviewOptions

SHADES = " ░▒▓█"
LINES = 8
"""Of a spectrogram, each the mean of some bands; the lowest ones are below."""
BLANK = "-"


def is_spectrum(names: Sequence[str]) -> bool:
    """Return whether variables are bands of a spectrum, by their names."""
    return names[0].startswith("mel band")


def drawn(names: Sequence[str]) -> Drawn:
    """Return what draws such variables in lines of text."""
    return spectrogram if is_spectrum(names) else bars


def spectrogram(
    series_TV: NDArray[Any], names: Sequence[str], ranges: tuple[NDArray[Any], NDArray[Any]]
) -> list[str]:
    """Return lines of shades, time from left to right."""
    levels_WV = levels(series_TV, ranges, min(WIDEST, len(series_TV)), 1000)
    bands = [
        piece.mean(1) / 1000 for piece in np.array_split(levels_WV, min(LINES, levels_WV.shape[1]), axis=1)
    ]
    shades = [np.minimum(len(SHADES) - 1, (band_W * len(SHADES)).astype(int)) for band_W in bands]
    return ["".join(SHADES[shade] for shade in line) for line in reversed(shades)]


@dataclass(frozen=True, eq=False)
class Hearing:
    """A recording (T, V), its labels, those a model tells, and the shares (T, K) of labels and blank by frame."""

    series: NDArray[np.float32]
    labels: list[int]
    told: list[int]
    shares: NDArray[np.float64]


@torch.no_grad()
def hearings(model: Transcriber, meta: Mapping[str, Any]) -> list[Hearing]:
    """Return what a model in evaluation mode tells of the recordings that stay with it."""
    device = next(model.parameters()).device
    found = list[Hearing]()
    for series_TV, labels in unpacked(meta["examples"], len(meta["mean"])):
        inputs_TBV = scaled(torch.from_numpy(series_TV.copy()), meta["mean"], meta["deviation"])[:, None].to(
            device
        )
        log_TBK = model.log_probabilities(inputs_TBV, torch.tensor([len(series_TV)], device=device))
        (told,) = model.decode(log_TBK, torch.tensor([len(series_TV)]))
        found.append(Hearing(series_TV, labels, told, _shares(log_TBK[:, 0])))
    return found


def _shares(log_TK: Tensor) -> NDArray[np.float64]:
    shares_TK: NDArray[np.float64] = log_TK.double().exp().cpu().numpy()
    return shares_TK


def describe_told(model: Transcriber, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions) -> str:
    """Return some of the kept recordings drawn by ``seed``, with what is told; the prompt may name a label in them.

    Raises:
        UserError: for a label that is not known or in no recording that stays, or a negative temperature or length.
    """
    require_showable(options)
    names, known = meta["classes"], hearings(model, meta)
    if options.prompt and options.prompt not in names:
        raise unknown("label", options.prompt, names)
    fitting = [one for one in known if not options.prompt or options.prompt in [names[k] for k in one.labels]]
    if not known:
        return "no recording stays with the model to show: they are too long for that"
    if not fitting:
        raise UserError(
            f"no recording with the label {options.prompt!r} stays with the model; try another, or none"
        )
    ranges = value_ranges([one.series for one in known])
    order = np.random.default_rng(seed).permutation(len(fitting))[: min(SHOWN, options.length)]
    return "\n\n".join(_one(fitting[place], meta, ranges) for place in order)


def _one(one: Hearing, meta: Mapping[str, Any], ranges: tuple[NDArray[Any], NDArray[Any]]) -> str:
    names = meta["classes"]
    wrong = int(told_statistics([one.told], [one.labels])["errors"][0]) // 100
    said, told = (" ".join(names[label] for label in labels) for labels in (one.labels, one.told))
    path = [[*names, BLANK][label] for label in one.shares.argmax(1)]
    runs = [f"{label} ({span})" for label, span in spans(path) if label != BLANK]
    return "\n".join(
        [
            *drawn(meta["variables"])(one.series, meta["variables"], ranges),
            f"said {said}, told {told or 'nothing'}: {f'{wrong} of {len(one.labels)} wrong' if wrong else 'right'}",
            *textwrap.wrap("told at frames: " + (", ".join(runs) or "none"), 80),
        ]
    )
