"""The checklist answers from facts: other facts, other answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nas_rnn.comparison.checklist import Facts, OnTest, checklist

FACTS = Facts(
    kind="search",
    name="mine",
    task="char-lm",
    own_data=False,
    version="1.2.3",
    space="gated",
    strategy="tpe",
    seed=5,
    candidates=24,
    trained=23,
    control=24,
    found=OnTest(winner=-0.05, random_search=-0.04, random_cells="2.050 (1.980 to 150.0)"),
    typical=0.3,
    ablations=(),
    final_seeds=5,
    mismatch=0.002,
    tuned=(True, True),
    tuning=(8, 8),
    options="learning rate 0.01",
    parts=(("search", 25, 120.0), ("tuning", 16, 60.0), ("final", 10, 30.0)),
    hosts=("one",),
    backends=("fused",),
    environment="torch 2.9",
)


def answers(**changes: Any) -> dict[int, tuple[str, str]]:
    return {answer.number: (answer.reply, answer.why) for answer in checklist(replace(FACTS, **changes))}


def test_there_are_fourteen_in_the_papers_order() -> None:
    found = checklist(FACTS)
    assert [answer.number for answer in found] == list(range(1, 15))
    assert found[7].practice.startswith("Compare with random") and found[12].practice.startswith(
        "Report the resources"
    )


@pytest.mark.parametrize(
    ("number", "changes", "reply", "why"),
    [
        (1, {}, "partly", "All of it comes with nas_rnn"),
        (1, {"own_plugins": ("space mine",)}, "partly", "To be published with it: space mine"),
        (2, {"kind": "compare"}, "not asked", "No search was run"),
        (3, {}, "open", "can be published"),
        (4, {}, "yes", "nas_rnn 1.2.3"),
        (4, {"own_data": True}, "partly", "others need the data"),
        (4, {"own_data": True, "own_plugins": ("task t",)}, "partly", "the data and own plugins (task t)"),
        (5, {}, "open", "`nas-rnn ablate mine`"),
        (5, {"ablations": ("parts",)}, "partly", "in parts"),
        (5, {"kind": "ablate"}, "partly", "This run is an ablation"),
        (6, {}, "yes", "5 seeds each, the same limit of epochs; 8 tuning runs each; parameters equal within 0.2%"),
        (6, {"mismatch": 0.03}, "partly", "differ by up to 3.0%"),
        (6, {"mismatch": 0.03, "match": "time"}, "yes", "sizes matched by time per step, parameters within 3.0%"),
        (6, {"tuned": (False, True)}, "no", "only some of the cells were tuned"),
        (6, {"tuning": (8, 5)}, "partly", "5 to 8 runs"),
        (6, {"read_before": ("first",)}, "partly", "had been read before, in first"),
        (6, {"complete": False}, "open", "has not ended"),
        (7, {}, "partly", "24 candidates"),
        (7, {"candidates": 1}, "open", "1 candidate "),
        (7, {"kind": "ablate"}, "not asked", "No search was run"),
        (8, {}, "yes", "-5.0% against -4.0%. The median of random cells on the test data was 2.050 (1.980 to 150.0)"),
        (8, {"control": 23}, "yes", "Random search had 23 candidates, tpe 24"),
        (8, {"control": 10}, "partly", "Random search had 10 candidates, tpe 24"),
        (8, {"found": OnTest(winner=-0.05, random_search=-0.04)}, "partly", "did not measure single random cells"),
        (8, {"control": 0, "found": OnTest()}, "open", "whether tpe helped is not known"),
        (8, {"control": 0}, "partly", "not known. The median of random cells on the test data was 2.050 (1.980"),
        (8, {"strategy": "random", "control": 0}, "yes", "random search itself"),
        (8, {"strategy": "random", "control": 0, "found": OnTest()}, "partly", "did not measure"),
        (9, {}, "partly", "ran once, from seed 5"),
        (9, {"kind": "compare"}, "yes", "5 paired seeds"),
        (9, {"final_seeds": 1}, "no", "one seed"),
        (10, {}, "no", "23 of 24 candidates were trained, the others were known already"),
        (10, {"trained": 24}, "no", "All 24 candidates were trained"),
        (11, {}, "yes", "Machines: one; backends: fused"),
        (11, {"hosts": ("one", "two")}, "partly", "Machines: one, two"),
        (11, {"backends": ("eager", "fused")}, "partly", "eager, fused"),
        (11, {"hosts": ()}, "open", "not recorded"),
        (12, {}, "yes", "8 tuning runs per cell, in 1 min of training"),
        (12, {"tuned": (False, False), "tuning": ()}, "partly", "all used learning rate 0.01"),
        (13, {}, "yes", "4 min of training of 51 runs: search 2 min, tuning 1 min, final 30 s"),
        (13, {"complete": False}, "open", "has not finished"),
        (14, {}, "yes", "torch 2.9"),
        (14, {"environment": ""}, "partly", "were not recorded"),
    ],
)  # fmt: skip
def test_an_answer_follows_from_the_facts(number: int, changes: dict[str, Any], reply: str, why: str) -> None:
    found = answers(**changes)[number]
    assert found[0] == reply
    assert why in found[1], found[1]
