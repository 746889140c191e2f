"""From files to the parts that are trained and tested on, in one order of steps."""

from __future__ import annotations

from pathlib import Path

from nas_rnn.tasks.classify.csv_file import Naming
from nas_rnn.tasks.classify.sources import read_source
from nas_rnn.tasks.data import TaskData
from nas_rnn.tasks.series.loading import class_data, in_parts
from nas_rnn.tasks.series.recordings import pooled, require_usable
from nas_rnn.tasks.shares import Shares


def load_parts(source: Path | None, *, dataset: str, naming: Naming, pool: int, shares: Shares) -> TaskData:
    """Read what to train and test on, cut it into parts, and measure the training part's scale.

    Raises:
        UserError: when the data cannot be used.
    """
    fit, own_test = read_source(source, dataset, naming)
    if own_test is not None:
        shares.require_used({"test": own_test.source})
    fit = pooled(fit, pool)
    require_usable(fit)
    if own_test is not None:
        own_test = pooled(own_test, pool)
        require_usable(own_test)
    return class_data(in_parts(fit, own_test, shares=shares))
