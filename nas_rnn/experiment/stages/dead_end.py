"""A search that has nothing to take to its final: why, and what to change; kept in its folder for later questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import NO_FINAL
from nas_rnn.strategies import Trial
from nas_rnn.training import TrainingOptions

STEP = 10
"""By what the learning rate, and the norm that gradients are clipped to, are divided for one to try."""


def keep_dead_end(folder: RunFolder, config: SearchConfig, trials: Sequence[Trial]) -> None:
    """Keep why the ``trials`` gave nothing for a final; nothing where there are none: a longer search may have some."""
    if trials:
        folder.write_json(NO_FINAL, {"reason": dead_end(config, trials)})


def forget_dead_end(folder: RunFolder) -> None:
    """Begin again: with more trials the search may come to a final."""
    (folder.path / NO_FINAL).unlink(missing_ok=True)


def dead_end(config: SearchConfig, trials: Sequence[Trial]) -> str:
    """Return in one line why the ``trials`` gave nothing for a final, and what to change."""
    endings, count = Counter(trial.ending for trial in trials), len(trials)
    failures = [trial.reason or "of an unknown reason" for trial in trials if trial.ending == "failed"]
    if endings["finished"] + endings["stopped"]:
        why = "the best candidates diverged or failed when they were trained again with fresh seeds"
    elif len(failures) == count:
        return f"{_all(count)} failed, the first with: {failures[0]}; mend that, and begin a new search"
    elif failures:
        why = f"of {count} candidates {count - len(failures)} diverged and {len(failures)} failed ({failures[0]})"
    else:
        why = f"{_all(count)} diverged"
    return f"{why}; begin a new search with {calmer(config)}"


def calmer(training: TrainingOptions) -> str:
    """Return which options make training less likely to diverge: their present values, and some to try."""
    rate, clip = training.learning_rate, training.clip
    clipping = f"--clip {clip / STEP:g} (now {clip:g})" if clip else "--clip 1 (now 0: no clipping)"
    return f"a lower learning rate, such as --learning-rate {rate / STEP:g} (now {rate:g}), or {clipping}"


def _all(count: int) -> str:
    return "the only candidate" if count == 1 else f"all {count} candidates"
