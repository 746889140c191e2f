"""What stands beside the answer for scale, in words."""

from dataclasses import replace

from nas_rnn.comparison import Comparison, Standing, scale_lines
from nas_rnn.comparison.result import ContenderRow, Floor, Measure, Reading


def standing(name: str, f1: Reading | None = None) -> Standing:
    return Standing(
        name=name, digest=name, hidden_size=4, parameters=10, mismatch=0.0, tuned=True, seeds=(1, 2),
        values=(2.0, 2.2), mean=2.1, std=0.14, diverged=0, others={} if f1 is None else {"f1": f1},
    )  # fmt: skip


def row(own: Standing) -> ContenderRow:
    return ContenderRow(
        standing=own, difference=None, ci95=None, relative_difference=None, seed_differences=(None, None),
        pairs=0, covers="nothing", verdict="undecided", reason=None,
    )  # fmt: skip


PLAIN = Comparison(
    metric="bits", unit="bits per character", direction="minimize", margin=0.02,
    baseline=standing("lstm"), contenders=(row(standing("gru")),),
)  # fmt: skip


def test_without_either_nothing_is_said() -> None:
    assert scale_lines(PLAIN) == []


def test_floors_have_their_figure_and_those_that_were_not_beaten_are_told() -> None:
    floors = (
        Floor(name="unigram table", values={"bits": 4.7123}, difference=-2.6, ci95=(-2.7, -2.5)),
        Floor(name="bigram table", values={"bits": 2.15}, difference=-0.05, ci95=(-0.2, 0.1)),
        Floor(name="trigram table", values={"bits": 1.9}, difference=0.3, ci95=(0.1, 0.5)),
        Floor(name="broken", values={"bits": None}, reason="broken: not finite"),
    )
    assert scale_lines(replace(PLAIN, floors=floors)) == [
        "Trivial baselines on the same test data: unigram table 4.712, bigram table 2.15 (lstm does not "
        "clearly beat it), trigram table 1.9 (better than lstm), broken unknown."
    ]


def test_metrics_that_do_not_decide_are_reported_for_every_cell() -> None:
    reading = Reading(values=(0.8, 0.82), mean=0.81, std=0.0141)
    told = replace(
        PLAIN,
        baseline=standing("lstm", reading),
        others=(Measure(name="f1", unit="share", direction="maximize"),),
    )
    assert scale_lines(told) == ["Also measured, f1 in share: lstm 0.81 ± 0.014, gru unknown."]
    random = replace(standing("random", reading), digest="", control="random cells")
    assert scale_lines(replace(told, controls=(row(random),))) == [
        "Also measured, f1 in share: lstm 0.81 ± 0.014, gru unknown, random 0.81 (0.8000 to 0.8200)."
    ]
