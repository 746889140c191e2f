"""Asking built-in strategies within a study, and telling it of results from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas_rnn import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.experiment import asking
from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.spaces import Candidate, Space
from nas_rnn.strategies import Evolution
from tests.experiment.outside import cell_text, open_study, simulated


class Heard(Evolution):
    """Notes what a strategy is told."""

    told: list[tuple[str, float | None, bool]]
    expected: list[str]

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.told, self.expected = [], []
        Heard.last = self

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self.told.append((candidate.cell.name, loss, bool(candidate.decisions)))
        super().tell(candidate, loss)

    def expect(self, candidate: Candidate) -> None:
        self.expected.append(candidate.cell.name)
        super().expect(candidate)

    last: Heard


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OutsideStudy:
    made = asking.make_strategy

    def with_notes(settings: SearchConfig, asked: int, *, asked_again: bool) -> Heard:
        assert not asked_again  # nobody asks for the earlier proposals, so the seed has to move on
        return Heard(made(settings, asked, asked_again=asked_again).space, asked)

    monkeypatch.setattr(asking, "make_strategy", with_notes)
    return open_study(tmp_path)


def test_candidates_come_as_texts_and_none_twice(study: OutsideStudy) -> None:
    found = [study.ask() for _ in range(4)]
    assert len({one.cell.digest for one in found}) == 4
    for one in found:
        assert parse_cell(one.to_dict()["cell"]).digest == one.cell.digest
        assert one.decisions and json.dumps(one.to_dict())
    assert Heard.last.expected == [one.cell.name for one in found[:3]]


def test_a_strategy_hears_of_what_was_evaluated_and_told(study: OutsideStudy) -> None:
    first, second, third = (study.ask() for _ in range(3))
    values = {"lstm": [2.3] * 4, first.cell.name: [2.0, 2.1, 2.0, 2.1], "own": [2.2] * 4}
    with simulated(values):
        study.evaluate(first.cell.to_text())
        study.evaluate(cell_text("own"))
    study.tell(second.cell.to_text(), 1.9)
    study.tell(third.cell, None, "too many parameters")
    study.ask()
    assert Heard.last.told == [
        (first.cell.name, pytest.approx(2.05), True),
        (second.cell.name, 1.9, True),
        (third.cell.name, None, True),
    ]
    # A cell without decisions teaches a strategy on decisions nothing.
    assert Heard.last.expected == ["own"]


def test_what_was_told_makes_no_incumbent_and_is_measured_when_it_is_evaluated(study: OutsideStudy) -> None:
    study.tell(cell_text("own"), 0.1)
    assert study.incumbent.name == "lstm"
    with simulated({"lstm": [2.3, 2.31, 2.29, 2.3], "own": [9.0]}) as trained:
        found = study.evaluate(cell_text("own"))
    assert (found.verdict, found.known) == ("behind", False) and "own 0" in trained


def test_mistakes(study: OutsideStudy) -> None:
    with pytest.raises(UserError, match="a value is a finite number"):
        study.tell(cell_text("own"), float("nan"))
    with pytest.raises(UserError, match="unknown word"):
        study.tell("@cell\ndef f(x, h):\n    return tanhh(x)\n", 1.0)
    with pytest.raises(UserError, match="nowhere"):
        study.ask(space="nowhere")
