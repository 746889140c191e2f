"""The two ways in which a picture becomes a sequence: in a fixed order, or look by look wherever it says.

Shapes: N pictures, B of a batch, of H x W pixels, T looks, P pixels of a look, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.glimpses import attention, net
from nas_rnn.tasks.glimpses.attention import AttentionModel
from nas_rnn.tasks.glimpses.looks import boxes
from nas_rnn.tasks.glimpses.model import GlimpseClassifier
from nas_rnn.tasks.glimpses.net import GlimpseModel
from nas_rnn.tasks.glimpses.places import random_places
from nas_rnn.tasks.glimpses.policy import Attender, after_each_look
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.task import MakeRnn, PlainNet

Pixels = NDArray[np.uint8]
Inputs = Callable[[NDArray[np.int64]], Tensor | dict[str, Tensor]]
"""From the numbers (B,) of some of the pictures to what the net is given of them."""
Boxes = list[tuple[float, float, float, float]]
"""The top, left, height and width of each look, in pixels."""


class Reading(Protocol):
    """How pictures are read: what a net is given, which net it is, and where it looked."""

    def inputs(self, pixels_NHW: Pixels, seed: tuple[int, ...]) -> Inputs:
        """Return, for a pass over N pictures, what gives the net's inputs of any of them; ``seed`` draws places."""

    def model(self, make_rnn: MakeRnn, classes: int, dropout: float) -> TaskModel:
        """Return a model of the net."""

    def after_each_look(self, model: TaskModel, inputs: Any) -> tuple[Tensor, list[Boxes]]:
        """Return what would be answered after each look, (T, B, C) logits, and each picture's looks."""

    def plain_net(self, classes: list[str]) -> PlainNet:
        """Return the net for an export."""


@dataclass(frozen=True, eq=False)
class InOrder:
    """``looks_TP``, the pixel numbers of every look, the same for all pictures."""

    looks_TP: NDArray[np.int64]
    width: int
    mean: float
    deviation: float
    embedding: int
    over_looks: bool

    def inputs(self, pixels_NHW: Pixels, seed: tuple[int, ...]) -> Inputs:
        def of(chosen_B: NDArray[np.int64]) -> Tensor:
            pixels_TBP = pixels_NHW[chosen_B].reshape(len(chosen_B), -1)[:, self.looks_TP].swapaxes(0, 1)
            looks_TBP = torch.from_numpy(np.ascontiguousarray(pixels_TBP)).to(torch.get_default_dtype())
            return looks_TBP.sub_(self.mean).div_(self.deviation)

        return of

    def model(self, make_rnn: MakeRnn, classes: int, dropout: float) -> TaskModel:
        return GlimpseClassifier(GlimpseModel(make_rnn, **self._sizes(classes), dropout=dropout))

    def after_each_look(self, model: TaskModel, inputs: Any) -> tuple[Tensor, list[Boxes]]:
        assert isinstance(model, GlimpseClassifier)
        found: Boxes = [
            (float(top), float(left), float(height), float(width))
            for top, left, height, width in boxes(self.looks_TP, self.width)
        ]
        return model.net.after_each_look(inputs), [found] * inputs.shape[1]

    def plain_net(self, classes: list[str]) -> PlainNet:
        return PlainNet(
            modules=(net,),
            name="GlimpseModel",
            arguments=self._sizes(len(classes)),
            constants={
                "CLASSES": classes,
                "PIXELS": self.looks_TP.ravel().tolist(),
                "LOOKS": len(self.looks_TP),
                "MEAN": self.mean,
                "DEVIATION": self.deviation,
            },
            usage="inputs = looks(pictures, PIXELS, LOOKS, MEAN, DEVIATION)  # pictures (B, height, width)",
        )

    def _sizes(self, classes: int) -> dict[str, Any]:
        return {
            "pixels": self.looks_TP.shape[1],
            "classes": classes,
            "embedding": self.embedding,
            "mean": self.over_looks,
        }


@dataclass(frozen=True, eq=False)
class Wandering:
    """``looks`` squares of ``patch`` pixels a side, each picture's own: where a policy says, or anywhere."""

    learned: bool
    patch: int
    scales: int
    looks: int
    features: int
    spread: float
    mean: float
    deviation: float
    over_looks: bool

    def inputs(self, pixels_NHW: Pixels, seed: tuple[int, ...]) -> Inputs:
        def pictures(chosen_B: NDArray[np.int64]) -> Tensor:
            return attention.normalised(torch.from_numpy(pixels_NHW[chosen_B]), self.mean, self.deviation)

        if self.learned:
            return pictures
        places_TN2 = torch.from_numpy(random_places(len(pixels_NHW), self.looks, seed))
        return lambda chosen_B: {
            "pictures": pictures(chosen_B),
            "places": places_TN2[:, chosen_B].to(torch.get_default_dtype()),
        }

    def model(self, make_rnn: MakeRnn, classes: int, dropout: float) -> TaskModel:
        return Attender(AttentionModel(make_rnn, **self._sizes(classes), dropout=dropout))

    def after_each_look(self, model: TaskModel, inputs: Any) -> tuple[Tensor, list[Boxes]]:
        assert isinstance(model, Attender)
        pictures_BHW = inputs if isinstance(inputs, Tensor) else inputs["pictures"]
        height, width = pictures_BHW.shape[1:]
        logits_TBC, places_TB2 = after_each_look(model, inputs)
        middles_BT2 = (places_TB2.swapaxes(0, 1).double().cpu() + 1) / 2 * torch.tensor([height, width])
        corners_BT2 = middles_BT2 - self.patch / 2
        side = float(self.patch)
        return logits_TBC, [[(top, left, side, side) for top, left in own] for own in corners_BT2.tolist()]

    def plain_net(self, classes: list[str]) -> PlainNet:
        pictures = "normalised(pictures, MEAN, DEVIATION)"
        given = pictures if self.learned else f'{{"pictures": {pictures}, "places": places}}'
        also = "" if self.learned else ", places (LOOKS, B, 2) from -1 to 1"
        return PlainNet(
            modules=(attention,),
            name="AttentionModel",
            arguments=self._sizes(len(classes)),
            constants={
                "CLASSES": classes,
                "LOOKS": self.looks,
                "MEAN": self.mean,
                "DEVIATION": self.deviation,
            },
            usage=f"inputs = {given}  # pictures (B, height, width){also}",
        )

    def _sizes(self, classes: int) -> dict[str, Any]:
        return {
            "patch": self.patch,
            "scales": self.scales,
            "looks": self.looks,
            "features": self.features,
            "classes": classes,
            # The first look is at the middle, whatever a policy says.
            "learned": self.learned and self.looks > 1,
            "spread": self.spread,
            "mean": self.over_looks,
        }
