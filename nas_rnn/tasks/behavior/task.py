"""Task `behavior`: predict the next item of a session, measured in recall among the first 20."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.behavior import net
from nas_rnn.tasks.behavior.batching import batches_of
from nas_rnn.tasks.behavior.events import Reading
from nas_rnn.tasks.behavior.floors import popularity, scored, transitions
from nas_rnn.tasks.behavior.loading import Wanted, left_out, load_parts, require_known
from nas_rnn.tasks.behavior.model import SessionPredictor
from nas_rnn.tasks.behavior.net import SessionModel
from nas_rnn.tasks.behavior.showing import show
from nas_rnn.tasks.columns import SEPARATORS
from nas_rnn.tasks.corpus import Perplexity
from nas_rnn.tasks.data import Batching, Part, TaskData
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.options import option, option_fields, picked, require_no_reading
from nas_rnn.tasks.task import MakeRnn, Measures, PlainNet, Preview, PreviewOptions, Regularisation, Task

TOP = 20
NATS = Mean("nats_per_step", "nats per step", "minimize", 0.01, "absolute", of="nats", per="known")
PERPLEXITY = Perplexity(
    "perplexity",
    "perplexity per step",
    "minimize",
    0.01,
    "relative",
    instead="nats_per_step",
    of="nats",
    per="known",
)


def metrics_at(top: int) -> tuple[Metric, ...]:
    """Return recall and mean reciprocal rank among the ``top`` first items, in per cent, and the loss."""
    return (
        Mean(f"recall at {top}", "%", "maximize", 0.5, "absolute", of="found", per="steps"),
        Mean(f"MRR at {top}", "%", "maximize", 0.5, "absolute", of="reciprocal", per="steps"),
        PERPLEXITY,
        NATS,
    )


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `behavior`."""

    session: str = option("", "column of the session; empty: it is found, else the user's")
    user: str = option("", "column of the user; none: no users; empty: it is found")
    item: str = option("", "column of the item; empty: it is found")
    time: str = option("", "column of the time; none: events stand in order; empty: it is found")
    time_format: str = option("", "how times are written, as for strptime; empty: ISO 8601 and the like")
    separator: str = option("auto", "what stands between cells of a CSV file", choices=("auto", *SEPARATORS))
    encoding: str = option("utf-8", "how a CSV file is encoded, such as cp1252")
    gap: float = option(
        0.0, "minutes without an event after which a new session begins; 0: none", low=0, high=1e6
    )
    shortest: int = option(2, "fewest events of a session; shorter ones are left out", low=2, high=1000)
    longest: int = option(100, "most events of a session; what comes later is cut", low=2, high=10_000)
    least: int = option(1, "how often the training part must have an item", low=1, high=1_000_000)
    items: int = option(0, "most items to know, the most frequent; 0: all", low=0, high=1_000_000)
    split: str = option(
        "time", "sessions that begin last test, or those of users drawn", choices=("time", "users")
    )
    valid: float = option(0.1, "share of the sessions (or users) that validates", low=0.01, high=0.4)
    test: float = option(0.2, "share of the sessions (or users) that tests", low=0.01, high=0.4)
    top: int = option(TOP, "among how many first items the next is looked for", low=1, high=1000)
    embedding: int = option(32, "size of the vectors that stand for items", low=1, high=65536)
    tied: bool = option(True, "score items by their own vectors")


class Behavior(Task):
    """Sessions of events, each predicted from those before it, as a recommender does (Hidasi et al. 2016, "GRU4Rec").

    By default sessions of a made-up shop (`nas_rnn.tasks.behavior.shop`), in which order matters. Data of a user are
    cut by time: sessions that begin last test, those before them validate; or whole users are drawn for each part.

    A figure is the mean over all predicted steps of a part, the first event of a session being read alone. The next
    item is ranked among all items that are known; where several have its score, the figure is what breaking ties by
    chance gives on average, so that a model which scores all alike gets what a guess would. Steps whose item is not
    known count as misses; the loss, which steers, leaves them out. Items of the statistics are sessions.
    """

    name: ClassVar[str] = "behavior"
    summary: ClassVar[str] = "predict the next item of a session: what users do"
    metrics: ClassVar[tuple[Metric, ...]] = metrics_at(TOP)
    monitor: ClassVar[Metric] = NATS
    unit: ClassVar[str] = "steps"
    item: ClassVar[str] = "session"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 32, "learning_rate": 0.02, "layers": 1}
    )
    raw_meta: ClassVar[frozenset[str]] = frozenset({"items"})

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return the metrics among as many first items as the option ``top`` says."""
        return Measures(metrics_at(int(self.options.top)), NATS)

    def load(self, source: Path | None) -> TaskData:
        """Read events from a CSV or parquet file, or make up the sessions of a shop.

        Raises:
            UserError: when the data cannot be used; the message names the file and the line.
        """
        own = self.options
        if source is None:
            require_no_reading(own, (*option_fields(Reading), "gap", "split"))
        return load_parts(source, picked(Reading, own), picked(Wanted, own))

    def build(
        self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation
    ) -> SessionPredictor:
        """Build a `SessionModel` with its loss."""
        model = SessionModel(make_rnn, **self._sizes(meta), dropout=regularisation.dropout)
        return SessionPredictor(model, int(self.options.top))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give items and those that came next, (T, B); `nas_rnn.tasks.behavior.batching` says in which order."""
        return batches_of(data.part(part), part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training sessions; the items that are known stay."""
        cut = data.with_fresh_test(begins, ends)
        require_known(cut.parts, len(cut.meta["items"]), cut.meta["source"])
        return cut

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say how many events are of no known item, and what was left out while the data were read."""
        return (*left_out(data), *data.meta["notices"])

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what the most frequent items come to, and what most often came next after the last item."""
        train, valid, test = (data.part(part) for part in ("train", "valid", "test"))
        items, top = len(data.meta["items"]), int(self.options.top)
        return {
            "most popular items": scored(popularity(train, items), test, items, top),
            "what most often came next": scored(transitions(train, valid, items), test, items, top),
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return a few validation sessions, at most ``length`` steps of each, with what the model expects next.

        The prompt is a list of items with commas between (or, where names hold commas, bars): the model's first 20 to
        follow them. The temperature divides the logits before they are shown as per cent. Files are ``next.png`` of a
        session, and ``recall.png`` of the validation part beside the floors where the data are there.

        Raises:
            UserError: for a prompt without a known item, or a negative temperature or length.
        """
        assert isinstance(model, SessionPredictor)
        was_training = model.training
        model.eval()
        try:
            return show(model, data, seed=seed, options=options)
        finally:
            model.train(was_training)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `SessionModel`, and what turns items into its numbers and scores into items."""
        return PlainNet(
            modules=(net,),
            name="SessionModel",
            arguments=self._sizes(meta),
            constants={"ITEMS": list(meta["items"])},
            usage="inputs = encode(['...', '...'], ITEMS).unsqueeze(1)  # (T, 1)",
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        own = self.options
        return {"items": len(meta["items"]), "embedding": int(own.embedding), "tied": bool(own.tied)}
