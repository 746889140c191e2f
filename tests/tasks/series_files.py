"""Small series written as users have them: .ts files, and tables long and wide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = list[NDArray[np.float64]]

CLASSES = ("rising", "falling", "wave")


def waves(count: int, variables: int = 2, longest: int = 12, seed: int = 0) -> tuple[Series, list[str]]:
    """Return noisy series (T, variables) of unequal length, each with its class in its course alone."""
    random = np.random.default_rng((seed, count))
    series, labels = Series(), list[str]()
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        time = np.linspace(-1, 1, int(random.integers(longest // 2, longest + 1)))
        course = {"rising": time, "falling": -time, "wave": np.cos(3 * time) - 0.5}[name]
        series.append(
            course[:, None] * np.arange(1, variables + 1) + random.normal(0, 0.1, (len(time), variables))
        )
        labels.append(name)
    return series, labels


def ts_text(series: Series, labels: Sequence[str], head: str | None = None) -> str:
    variables = series[0].shape[1]
    if head is None:
        head = (
            f"@problemName waves\n@timeStamps false\n@missing false\n@univariate {str(variables == 1).lower()}\n"
            f"@dimensions {variables}\n@equalLength false\n@classLabel true {' '.join(CLASSES)}\n@data\n"
        )
    lines = [
        ":".join([*(",".join(map(str, column)) for column in one.T), name])
        for one, name in zip(series, labels, strict=True)
    ]
    return "# made for a test\n" + head + "\n".join(lines) + "\n"


def long_text(series: Series, labels: Sequence[str], *, people: int = 0, delimiter: str = ",") -> str:
    """Return a long table; with ``people`` a column of that many, in turn."""
    rows = [
        [
            "Series",
            "Time",
            *(f"v{n}" for n in range(series[0].shape[1])),
            *(["subject"] * bool(people)),
            "Class",
        ]
    ]
    for number, (one, name) in enumerate(zip(series, labels, strict=True)):
        who = [f"p{(number // len(CLASSES)) % people}"] if people else []
        rows += [[f"s{number}", str(t), *map(str, step), *who, name] for t, step in enumerate(one)]
    return "\n".join(delimiter.join(row) for row in rows) + "\n"


def write_pair(folder: Path, fit: int = 45, test: int = 15) -> Path:
    for end, count in (("TRAIN", fit), ("TEST", test)):
        (folder / f"Waves_{end}.ts").write_text(ts_text(*waves(count)), encoding="utf-8")
    return folder
