"""Task `memory`: series whose answer lies as far back as one likes, measured in per cent solved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import PARTS, Batching, Part, TaskData
from nas_rnn.tasks.memory import net
from nas_rnn.tasks.memory import options as memory_options
from nas_rnn.tasks.memory.batching import batches_of
from nas_rnn.tasks.memory.floors import always_the_mean, chance, commonest_answer
from nas_rnn.tasks.memory.making import made
from nas_rnn.tasks.memory.model import Rememberer
from nas_rnn.tasks.memory.net import ProbeNet
from nas_rnn.tasks.memory.options import Kind, kind_of, lengths_of
from nas_rnn.tasks.memory.scores import SOLVED, SQUARED, measures_of
from nas_rnn.tasks.memory.series import Series
from nas_rnn.tasks.memory.showing import by_length, described, jacobian_norms, remembered
from nas_rnn.tasks.metric import Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import Option, picked
from nas_rnn.tasks.task import MakeRnn, Measures, PlainNet, Preview, PreviewOptions, Regularisation, Task


class Memory(Task):
    """Generated probes of how long a cell remembers: `adding`, `copy`, `parity`, `dyck`, and `pixels` of digits.

    All series are drawn from option ``seed`` before anything is trained: the same in every run, and none of the
    validation or test part stands in another part. Validation and test have as many of each of ``lengths``.

    The share that is solved decides; the margin is half a point, as in other tasks with one answer an item. The loss is
    monitored: a cell can get closer to what it is to remember long before it solves anything.
    """

    name: ClassVar[str] = "memory"
    summary: ClassVar[str] = "remember over a gap: add, copy, count, match brackets, see pixel by pixel"
    metrics: ClassVar[tuple[Metric, ...]] = (SOLVED, SQUARED)
    unit: ClassVar[str] = "answers"
    item: ClassVar[str] = "series"
    Options: ClassVar[type] = memory_options.Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 32, "learning_rate": 0.01, "layers": 1}
    )

    def __init__(self, **options: Option) -> None:
        """Take the options; a single one of ``lengths`` may be a number, as a command line reads it."""
        if type(options.get("lengths")) is int:
            options["lengths"] = str(options["lengths"])
        super().__init__(**options)

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return the share solved, in all and of each length, and the loss, which is the monitor."""
        return measures_of(meta, self._kind.answers)

    def load(self, source: Path | None) -> TaskData:
        """Draw all series, or read scikit-learn's digits for kind pixels.

        Raises:
            UserError: for any ``source``, for options that cannot be met, and where scikit-learn is missing.
        """
        if source is not None:
            raise UserError(
                f"the task 'memory' draws its series itself and reads no data; leave out --data ({source}), or choose "
                "a kind and lengths, such as --task-option kind=copy --task-option steps=30"
            )
        arrays, meta = made(self._own)
        return TaskData(arrays, meta)

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Rememberer:
        """Build a `ProbeNet` with its loss."""
        made_net = ProbeNet(make_rnn, **self._sizes(), dropout=regularisation.dropout)
        return Rememberer(made_net, numbers=not meta["classes"], lengths=meta["lengths"])

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give series (T, B) or (T, B, F), answers (K, B) and real steps; the length of ``batching`` means nothing."""
        return batches_of(Series.of(data.part(part)), part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training series, which have training lengths: none is told apart."""
        cut = data.with_fresh_test(begins, ends)
        return TaskData(cut.parts, {**cut.meta, "lengths": [lengths_of(self._own).steps]})

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Name the classes that the training part lacks."""
        if not data.meta["classes"]:
            return ()
        answers = {part: data.part(part)["answers"] for part in PARTS if part in data.parts}
        return unlearnable(data.meta["classes"], answers, what="classes", items="answers")

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what always answering the mean, the commonest class, or symbols at random comes to."""
        train, test = data.part("train"), data.part("test")
        lengths, classes = data.meta["lengths"], len(data.meta["classes"])
        if self._own.kind == "adding":
            return {"always the mean": always_the_mean(train, test, lengths)}
        if self._own.kind == "copy":
            return {"symbols at random": chance(test, classes, lengths)}
        return {"commonest answer": commonest_answer(train, test, classes, lengths)}

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return a few series with the model's answers, at most ``length``, and up to which length it remembers.

        Files: ``lengths.png``, the per cent solved over the length (of digits ``confusion.png``, where there is a
        validation part), and ``jacobians.png``, the largest singular value of each step's Jacobian d s_t / d s_(t-1),
        and that of their product back from the end. Series are drawn anew; of digits some stay with a model. The
        temperature means nothing.

        Raises:
            UserError: for a prompt, or a negative temperature or length.
        """
        assert isinstance(model, Rememberer)
        own, meta = self._own, data.meta
        was_training = model.training
        model.eval()
        try:
            text, files = described(model, own, meta, seed=seed, options=options), dict[str, bytes]()
            if own.kind != "pixels":
                solved = by_length(model, own, seed=seed)
                text = f"{text}\n\n{remembered(solved)}".strip()
            if not options.files:
                return Preview(text=text)
            from nas_rnn.tasks.memory.figures import jacobians_png, solved_png

            if own.kind != "pixels":
                files["lengths.png"] = solved_png(solved, lengths_of(own).steps, self._by_chance())
            elif "valid" in data.parts:
                files["confusion.png"] = self._confusion(model, data)
            files["jacobians.png"] = jacobians_png(*jacobian_norms(model, own, meta, seed=seed))
        finally:
            model.train(was_training)
        return Preview(text=text, files=files)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `ProbeNet`, and what makes a series of symbols or numbers."""
        kind = self._kind
        example = "[0, 1, 1]" if kind.symbols else str([[0.5] * kind.numbers] * 3)
        return PlainNet(
            modules=(net,),
            name="ProbeNet",
            arguments=self._sizes(),
            constants={"CLASSES": list(meta["classes"]), "SYMBOLS": kind.symbols},
            usage=f"inputs = column({example}, SYMBOLS)  # (T, 1)",
        )

    @property
    def _own(self) -> memory_options.Options:
        return picked(memory_options.Options, self.options)

    @property
    def _kind(self) -> Kind:
        return kind_of(self._own)

    def _sizes(self) -> dict[str, int]:
        kind = self._kind
        return {
            "symbols": kind.symbols,
            "numbers": kind.numbers,
            "outputs": len(kind.classes) or 1,
            "answers": kind.answers,
        }

    def _by_chance(self) -> float:
        """Return the per cent that are solved without having read anything, of sums that of always answering 1."""
        kind = self._kind
        if kind.classes:
            return 100.0 * float(len(kind.classes)) ** -kind.answers
        from nas_rnn.tasks.memory.scores import NEAR

        return 100.0 * (2 * NEAR - NEAR**2)  # sums of two numbers have the density 1 - |s - 1|

    def _confusion(self, model: Rememberer, data: TaskData) -> bytes:
        from nas_rnn.tasks.figures import confusion
        from nas_rnn.tasks.memory.batching import batch_of

        valid = Series.of(data.part("valid"))
        answers = model.answers(batch_of(valid).to(next(model.parameters()).device))[0][0].cpu().numpy()
        return confusion(valid.answers[:, 0].astype(int), answers, data.meta["classes"], "digits")
