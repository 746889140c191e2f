"""Tasks whose models are unlike those of the built-in ones: a plugin for the tests of exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.tasks import (
    LOSS,
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Metric,
    Part,
    PlainNet,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
)
from tests.export import odd_nets

SIZE, TAGS = 3, 4


class Tagger(TaskModel):
    """Cross-entropy of a tag for every step."""

    def logits(self, inputs: Any) -> Tensor:
        return self(inputs)[0]

    def loss(self, batch: Batch, state: Any) -> tuple[Loss, None]:
        targets_TB = batch.targets
        assert isinstance(targets_TB, Tensor)
        logits_TBC = self.logits(batch.inputs)
        return Loss(F.cross_entropy(logits_TBC.flatten(0, 1), targets_TB.flatten()), targets_TB.numel()), None


class NetTagger(Tagger):
    """A tagger that is one net."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


class ScatteredTagger(Tagger):
    """A tagger without a net: what it learns lies in itself."""

    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.reader = make_rnn(SIZE)
        self.output = nn.Linear(int(self.reader.hidden_size), TAGS)

    def logits(self, inputs: Any) -> Tensor:
        return self.output(self.reader(inputs, None)[0])


class _Tagging(Task):
    """Sequences of random numbers, each step with a tag."""

    unit: ClassVar[str] = "tags"
    item: ClassVar[str] = "sequence"
    metrics: ClassVar[tuple[Metric, ...]] = (LOSS,)

    def load(self, source: Path | None) -> TaskData:
        rng = np.random.default_rng(0)
        drawn = {
            part: rng.normal(size=(12, 8, SIZE)).astype(np.float32) for part in ("train", "valid", "test")
        }
        return TaskData({part: {"x": x, "tags": (x > 0).sum(-1)} for part, x in drawn.items()})  # type: ignore[misc]

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        x, tags = (torch.from_numpy(data.part(part)[name]) for name in ("x", "tags"))
        yield Batch(inputs=x, targets=tags, items=torch.arange(x.shape[1]))


class Bidirectional(_Tagging):
    name: ClassVar[str] = "odd-bidirectional"
    summary: ClassVar[str] = "tags by a net that reads in both directions"

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> NetTagger:
        return NetTagger(odd_nets.BothWays(make_rnn, size=SIZE, tags=TAGS))

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        return PlainNet(modules=(odd_nets,), name="BothWays", arguments={"size": SIZE, "tags": TAGS})


class Two(_Tagging):
    name: ClassVar[str] = "odd-two-nets"
    summary: ClassVar[str] = "tags by two recurrent nets"

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> NetTagger:
        return NetTagger(odd_nets.TwoNets(make_rnn, size=SIZE, tags=TAGS))

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        return PlainNet(modules=(odd_nets,), name="TwoNets", arguments={"size": SIZE, "tags": TAGS})


class Scattered(_Tagging):
    name: ClassVar[str] = "odd-scattered"
    summary: ClassVar[str] = "tags by a model without a net"

    def build(
        self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation
    ) -> ScatteredTagger:
        return ScatteredTagger(make_rnn)


class ByName(Bidirectional):
    name: ClassVar[str] = "odd-by-name"
    summary: ClassVar[str] = "inputs that are several tensors"

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> NetTagger:
        class Reads(odd_nets.BothWays):
            def forward(self, inputs: Any, state: Any = None) -> tuple[Tensor, Any]:
                return super().forward(inputs["left"] - inputs["right"], state)

        return NetTagger(Reads(make_rnn, size=SIZE, tags=TAGS))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        for batch in super().batches(data, part, batching):
            assert isinstance(batch.inputs, Tensor)
            inputs = {"left": batch.inputs, "right": torch.zeros_like(batch.inputs)}
            yield Batch(inputs=inputs, targets=batch.targets, items=batch.items)


class Misfit(ByName):
    """One of its inputs is neither (time, batch, ...) nor named among ``input_axes``."""

    name: ClassVar[str] = "odd-misfit"
    summary: ClassVar[str] = "inputs whose axes nothing says"

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        for batch in super().batches(data, part, batching):
            assert isinstance(batch.inputs, dict)
            yield replace(batch, inputs={**batch.inputs, "tags": torch.arange(TAGS)})


class OfOneLength(Bidirectional):
    """A net that its length is taken into as a number."""

    name: ClassVar[str] = "odd-of-one-length"
    summary: ClassVar[str] = "tags by a net of one length"

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> NetTagger:
        class OneLength(odd_nets.BothWays):
            def forward(self, x_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
                return super().forward(x_TBI + torch.ones(len(x_TBI), 1, 1), state)

        return NetTagger(OneLength(make_rnn, size=SIZE, tags=TAGS))


class Unseen(Bidirectional):
    """A net that does what torch's exporter cannot follow."""

    name: ClassVar[str] = "odd-unseen"
    summary: ClassVar[str] = "tags by a net that refuses"

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> NetTagger:
        class Refusing(odd_nets.BothWays):
            def forward(self, x_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
                raise ValueError("not on Sundays")

        return NetTagger(Refusing(make_rnn, size=SIZE, tags=TAGS))
