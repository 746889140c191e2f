"""Task `music`: predict which notes sound next, measured in nats per frame of a piano roll."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import PARTS, Batching, Part, TaskData
from nas_rnn.tasks.metric import Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.music import net
from nas_rnn.tasks.music.batching import batches_of
from nas_rnn.tasks.music.floors import frequencies, held, rolls, scored
from nas_rnn.tasks.music.loading import load_parts
from nas_rnn.tasks.music.model import Pianist
from nas_rnn.tasks.music.net import RollModel
from nas_rnn.tasks.music.rolls import FRAMES, LOWEST, NOTES, note_name
from nas_rnn.tasks.music.scores import ACCURACY, NATS
from nas_rnn.tasks.music.showing import show
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import option
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `music`."""

    frame: str = option("quarter", "the note value that is one frame", choices=tuple(FRAMES))
    pieces: int = option(
        0, "pieces to use, the first ones, of each part that the data have; 0: all", low=0, high=1_000_000
    )
    embedding: int = option(0, "size of a linear embedding of a frame; 0: none", low=0, high=65536)
    valid: float = option(
        0.2,
        "share of the pieces that validates, where the data have no parts of their own",
        low=0.01,
        high=0.4,
    )
    test: float = option(0.2, "share of the pieces that tests, likewise", low=0.01, high=0.4)


class Music(Task):
    """Polyphonic music as piano rolls of 88 notes, each frame predicted from those before it.

    By default chorales by Bach for four voices, which come with music21, a frame every quarter note. The task is that
    of Boulanger-Lewandowski, Bengio and Vincent (2012), whose sets keep their parts; of other data whole pieces are
    drawn for each part.

    A figure is the mean over all predicted frames of a part, so that a piece counts by its length, as in Bai, Kolter
    and Koltun (2018); the first frame of a piece is read and not predicted, as there. Items are pieces.
    """

    name: ClassVar[str] = "music"
    summary: ClassVar[str] = "predict the next notes of polyphonic music"
    metrics: ClassVar[tuple[Metric, ...]] = (NATS, ACCURACY)
    monitor: ClassVar[Metric] = NATS
    unit: ClassVar[str] = "frames"
    item: ClassVar[str] = "piece"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 8, "length": 256, "learning_rate": 0.01}
    )

    def load(self, source: Path | None) -> TaskData:
        """Read MIDI files, or rolls in a .mat or .pickle file, or music21's chorales.

        Raises:
            UserError: when the data cannot be used; the message names the file and says what would work.
        """
        own = self.options
        return load_parts(
            source,
            frame=FRAMES[own.frame],
            most=int(own.pieces),
            shares=Shares.of(own, self.name),
        )

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Pianist:
        """Build a `RollModel` with its loss."""
        return Pianist(RollModel(make_rnn, **self._sizes(), dropout=regularisation.dropout))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give rolls (T, B, 88) and the same one frame later; `nas_rnn.tasks.music.batching` says in which order."""
        return batches_of(data.part(part), part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training pieces."""
        return data.with_fresh_test(begins, ends)

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Name the notes that the training part lacks, and tell what was left out while the data were read."""
        names = [note_name(key + LOWEST) for key in range(NOTES)]
        keys = {
            part: np.concatenate([np.nonzero(roll)[1] for roll in rolls(data.part(part))])
            for part in PARTS
            if part in data.parts
        }
        return (*unlearnable(names, keys, what="notes", items="notes"), *data.meta["notices"])

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what each note's frequency comes to, and what it does beside whether the note sounds already."""
        train, test = data.part("train"), data.part("test")
        return {
            "frequency of each note": scored(frequencies(train), test),
            "notes held as often as in training": scored(held(train), test),
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return how the model goes on with a validation piece, at most ``length`` frames, or with the prompt.

        The prompt spells frames, such as "C4 E4 G4 | B3 D4 G4". The temperature divides the logits; at 0 what is
        likelier than not sounds. Files are ``roll.png`` and, where mido is installed, ``sample.mid``.

        Raises:
            UserError: for a prompt that cannot be read, or a negative temperature or length.
        """
        assert isinstance(model, Pianist)
        was_training = model.training
        model.eval()
        try:
            quarters = float(FRAMES[self.options.frame])
            return show(model.net, data.meta, quarters, seed=seed, options=options)
        finally:
            model.train(was_training)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `RollModel`, and what makes a roll of MIDI numbers."""
        return PlainNet(
            modules=(net,),
            name="RollModel",
            arguments=self._sizes(),
            constants={"LOWEST": LOWEST, "NOTES": NOTES},
            usage="inputs = roll([[60, 64, 67], [59, 62, 67]], LOWEST, NOTES).unsqueeze(1)  # (T, 1, 88)",
        )

    def _sizes(self) -> dict[str, int]:
        return {"notes": NOTES, "embedding": int(self.options.embedding)}
