"""What one MLflow run should show, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from numpy.typing import NDArray

STATUSES = ("RUNNING", "FINISHED", "FAILED", "KILLED")
MAX_KEY_LENGTH = 1000


class Point(NamedTuple):
    """One point of a curve; ``at_ms`` is its time in milliseconds since 1970, None for that of writing."""

    metric: str
    step: int
    value: float
    at_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetView:
    """The data that a run used: ``digest`` (36 characters at most) tells contents apart.

    ``source`` is a path, None where the data has none; ``origin`` then says where it is from. ``context`` says
    what for. ``columns`` describes its parts.
    """

    name: str
    digest: str
    source: str | None
    origin: str
    context: str
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """A model to be registered as ``name``, with ``alias`` on its version.

    ``files`` are those of a folder for `nas_rnn.load_model`. ``config`` is what `nas_rnn.tracking.champion` must know
    of it: ``plugins``, folders with its task's plugin, ``batch_axis``, that of the outputs, and ``batch_axes``, that of
    the inputs. ``example`` are inputs, the batch first, and ``outputs`` what the model gives for them; in the shapes,
    -1 stands for any number. Of several inputs ``batch_axes``, ``example`` and ``input_shape`` are by their names.
    ``params`` and ``metrics`` describe the model; ``metrics`` were measured on the dataset of its run.
    """

    name: str
    files: Mapping[str, bytes]
    config: Mapping[str, Any]
    example: NDArray[Any] | Mapping[str, NDArray[Any]]
    outputs: NDArray[Any]
    input_shape: tuple[int, ...] | Mapping[str, tuple[int, ...]]
    output_shape: tuple[int, ...]
    requirements: tuple[str, ...]
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    alias: str = "champion"


@dataclass(frozen=True, kw_only=True)
class ExperimentView:
    """An experiment of MLflow: runs that stand in one ranking.

    ``identity`` tells it from all others for ever (a tag, of letters, digits and ``_.:-``); "": the name does. It is
    called ``name``, with ``mark`` behind it where another one is called so already. A run with ``key`` that is in the
    experiment ``former`` stays there.
    """

    name: str
    identity: str = ""
    mark: str = ""
    former: str = ""
    key: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called, in the order in which that is tried."""
        more = (f"{self.name} ({self.mark})", f"{self.name} ({self.identity})") if self.identity else ()
        return (self.name, *more)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run as it should look now: all that is known of it, not only what is new.

    ``key`` identifies the run within its experiment for ever (tag ``nas_rnn.key``); ``parent`` is the key of
    the run that this one is shown under, and must be put before it. ``metrics`` are single values, ``curves``
    points over steps; a name is one or the other. ``artifacts`` maps a relative path to its
    content, ``tables`` a path ending in ``.json`` to columns of equal length. ``note`` is markdown; in it
    ``![cell](get-artifact?path=cell.svg&run_uuid={run_id})`` shows an artifact of this run. Times are
    milliseconds since 1970; ``end_ms`` counts only with a status other than RUNNING. ``model`` is registered as
    the run's.

    Raises ValueError where the view could not be shown: it is the calling code's mistake, not the user's.
    """

    key: str
    name: str
    parent: str | None = None
    status: str = "RUNNING"
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: tuple[Point, ...] = ()
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, list[object]]] = field(default_factory=dict)
    note: str = ""
    start_ms: int
    end_ms: int | None = None
    dataset: DatasetView | None = None
    model: ModelView | None = None

    def __post_init__(self) -> None:
        if not self.key or len(self.key) > MAX_KEY_LENGTH or not self.key.isprintable():
            raise ValueError(f"a run's key is 1 to {MAX_KEY_LENGTH} printable characters, not {self.key!r}")
        if '"' in self.key and "'" in self.key:
            raise ValueError(f"a run's key holds one kind of quotes at most, unlike {self.key!r}")
        if self.parent == self.key:
            raise ValueError(f"run {self.key!r} cannot be its own parent")
        if self.status not in STATUSES:
            raise ValueError(f"a run's status is one of {', '.join(STATUSES)}, not {self.status!r}")
        both = sorted(set(self.metrics) & {point.metric for point in self.curves})
        if both:
            raise ValueError(f"in run {self.key!r}, {', '.join(both)}: both a single value and a curve")
        self._check_paths()

    def _check_paths(self) -> None:
        for path in (*self.artifacts, *self.tables):
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or str(PurePosixPath(path)) != path:
                raise ValueError(f"an artifact's path is relative and without '.' and '..', unlike {path!r}")
        for path, columns in self.tables.items():
            if not path.endswith(".json"):
                raise ValueError(f"a table's path ends in .json, unlike {path!r}")
            if path in self.artifacts:
                raise ValueError(f"in run {self.key!r}, {path!r} is both an artifact and a table")
            if len({len(column) for column in columns.values()}) > 1:
                raise ValueError(f"the columns of table {path!r} differ in length")
