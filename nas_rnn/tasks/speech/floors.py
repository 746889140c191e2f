"""What can be told of recordings with several labels without hearing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nas_rnn.tasks.metric import Statistics
from nas_rnn.tasks.speech.scores import told_statistics


def told_floors(train: Sequence[Sequence[int]], test: Sequence[Sequence[int]]) -> dict[str, Statistics]:
    """Return what comes of always telling nothing, the commonest label alone, and the commonest labels in a row.

    ``train`` and ``test`` are the labels of each recording. Nothing at all is 100 % wrong.
    """
    counts = Counter(label for labels in train for label in labels)
    commonest = min(counts, key=lambda label: (-counts[label], label))
    rows = Counter[tuple[int, ...]](tuple(labels) for labels in train)
    frequent = list(min(rows.items(), key=lambda item: (-item[1], item[0]))[0])
    answers: dict[str, list[int]] = {
        "empty answer": [],
        "commonest label": [commonest],
        "commonest labels in a row": frequent,
    }
    return {name: told_statistics([answer] * len(test), test) for name, answer in answers.items()}
