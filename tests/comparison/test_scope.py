"""What a verdict speaks of: which runs were cut off, and whether that could change the word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_rnn.comparison import ContenderRow, Entry, Floor, Planned, Standing
from nas_rnn.comparison.outcomes import outcomes_of
from nas_rnn.comparison.scope import ends, scoped
from nas_rnn.comparison.verdict import Verdict
from nas_rnn.tasks import Mean
from nas_rnn.training import EpochRecord, RunResult, RunSpec, TrainingOptions


def standing(name: str, epochs: tuple[int, ...], converged: tuple[bool | None, ...]) -> Standing:
    return Standing(
        name=name,
        digest="",
        hidden_size=8,
        parameters=100,
        mismatch=0.0,
        tuned=True,
        seeds=(1, 2),
        values=(1.0, 1.0),
        mean=1.0,
        std=0.0,
        diverged=0,
        epochs=epochs,
        ended_because=("budget", "budget"),
        converged=converged,
    )


ENTRY = Entry(name="n", cell="", digest="", hidden_size=1, parameters=1, training=TrainingOptions())
AT_ITS_END = standing("done", (40, 55), (True, True))
CUT_OFF = standing("cut", (4, 4), (False, True))
UNKNOWN = standing("old", (20, 20), (None, None))


def row(verdict: Verdict, of: Standing) -> ContenderRow:
    return ContenderRow(
        standing=of,
        difference=-0.1,
        ci95=(-0.2, -0.05),
        relative_difference=-0.05,
        seed_differences=(-0.1, -0.1),
        pairs=2,
        covers="seeds and test blocks",
        verdict=verdict,
        reason=None,
    )


@pytest.mark.parametrize(
    ("verdict", "contender", "baseline", "within"),
    [
        ("better", AT_ITS_END, AT_ITS_END, ""),
        ("better", CUT_OFF, AT_ITS_END, ""),  # it would only get better
        ("better", AT_ITS_END, CUT_OFF, "within 4 epochs, still improving"),
        ("worse", CUT_OFF, AT_ITS_END, "within 4 epochs, still improving"),
        ("worse", AT_ITS_END, CUT_OFF, ""),
        ("equivalent", CUT_OFF, AT_ITS_END, "within 4 epochs, still improving"),
        ("equivalent", AT_ITS_END, CUT_OFF, "within 4 epochs, still improving"),
        ("undecided", AT_ITS_END, CUT_OFF, "within 4 epochs, still improving"),
        ("equivalent", UNKNOWN, AT_ITS_END, "within 20 epochs"),
        ("worse", standing("one", (1, 1), (False, False)), AT_ITS_END, "within 1 epoch, still improving"),
        ("equivalent", standing("before", (), ()), standing("before", (), ()), ""),
    ],
)
def test_a_word_is_limited_by_runs_that_could_change_it(
    verdict: Verdict, contender: Standing, baseline: Standing, within: str
) -> None:
    told = scoped(row(verdict, contender), baseline, ())
    assert (told.verdict, told.within) == (verdict, within)


def test_no_more_training_changes_a_word_that_a_run_which_diverged_has_given() -> None:
    diverged = replace(CUT_OFF, values=(1.0, None), diverged=1)
    assert scoped(row("worse", diverged), AT_ITS_END, ()).within == ""


def test_nothing_is_better_than_a_baseline_that_has_learned_too_little() -> None:
    table = Floor(name="bigram table", values={"bits": 3.4}, difference=0.3, ci95=(0.1, 0.5))
    told = scoped(row("better", AT_ITS_END), AT_ITS_END, [table])
    assert (told.verdict, told.weak_baseline) == ("undecided", "bigram table")
    assert (
        told.more_seeds_reason == "the baseline has to be trained better first, longer or with other settings"
    )
    for beaten in (replace(table, ci95=(-0.5, -0.1)), replace(table, ci95=None)):
        assert scoped(row("better", AT_ITS_END), AT_ITS_END, [beaten]).verdict == "better"


@pytest.mark.parametrize("word", ["worse", "equivalent", "undecided"])
def test_every_word_tells_of_a_baseline_that_is_no_better_than_a_trivial_one(word: Verdict) -> None:
    """It stays what it is; but nobody wants to know what is equivalent to what has not learned."""
    near = Floor(name="unigram table", values={"bits": 4.4}, difference=0.1, ci95=(-0.1, 0.3))
    table = replace(near, name="bigram table", difference=0.3, ci95=(0.1, 0.5))
    told = scoped(replace(row(word, AT_ITS_END), more_seeds=7), AT_ITS_END, [near, table])
    assert (told.verdict, told.weak_baseline, told.more_seeds) == (word, "bigram table", None)
    assert bool(told.more_seeds_reason) == (word == "undecided")
    # ahead of it on average, though not clearly, and not called better than it: nothing has to be said
    for other in (replace(table, difference=-0.1, ci95=(-0.3, 0.1)), replace(table, ci95=None)):
        told = scoped(replace(row(word, AT_ITS_END), more_seeds=7), AT_ITS_END, [other])
        assert (told.verdict, told.weak_baseline, told.more_seeds) == (word, "", 7)


def test_how_many_runs_were_at_their_end() -> None:
    assert ends([AT_ITS_END, AT_ITS_END]) == "all stopped improving"
    assert ends([AT_ITS_END, CUT_OFF]) == "3 of 4 stopped improving"
    assert (
        ends([AT_ITS_END, replace(CUT_OFF, values=(None, 1.0), diverged=1)])
        == "all stopped improving; 1 diverged"
    )
    assert ends([AT_ITS_END, replace(CUT_OFF, values=(None, 1.0))]) == "all stopped improving"
    assert ends([AT_ITS_END, UNKNOWN]) == "2 of 4 stopped improving"
    assert ends([UNKNOWN]) == ends([]) == ""


@pytest.mark.parametrize(
    ("best", "converged_epoch", "converged"),
    [(10, None, False), (8, None, False), (7, None, None), (1, None, None), (1, 9, True), (None, None, None)],
)
def test_what_never_began_to_learn_is_not_called_still_improving(
    best: int | None, converged_epoch: int | None, converged: bool | None
) -> None:
    record = EpochRecord(
        epoch=1,
        train_loss=1.0,
        valid_loss=1.0,
        metric=1.0,
        seconds=1.0,
        units_per_second=1.0,
        gradient_norm=1.0,
        clipped=0.0,
    )
    spec = RunSpec(
        id="r", role="final", name="n", cell="", hidden_size=1, task="t", seed=0, data_seed=0, read_test=True
    )
    result = RunResult(
        id="r",
        status="finished",
        reason=None,
        epochs=[record] * 10,
        best_epoch=best,
        best_metric=1.0,
        parameters=1,
        test_statistics={"nats": [1.0]},
        seconds=1.0,
        ended_because="cap",
        converged_epoch=converged_epoch,
    )
    (outcome,) = outcomes_of(
        Mean("m", "u", "minimize", 0.01, "relative", of="nats"),
        Planned(entry=ENTRY, specs=(spec,)),
        {"r": result},
    )
    assert outcome.converged is converged
