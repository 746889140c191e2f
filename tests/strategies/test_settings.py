"""Settings of training: the same proposals whoever ends first, the same first points for every cell, and learning."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_rnn.strategies.settings import ZERO_SHARE, Range, Settings, SettingsStudy

RANGES = {
    "learning_rate": Range(low=1e-3, high=3e-2, log=True),
    "dropout": Range(low=0.0, high=0.5),
    "gate_bias": Range(low=0.0, high=2.0),
}
FIRST = {"learning_rate": 0.01, "dropout": 0.0}


def loss(settings: Settings) -> float:
    return abs(math.log(settings["learning_rate"] / 0.002)) + settings["dropout"]


def told(study: SettingsStudy, count: int) -> list[tuple[Settings, float | None]]:
    known: list[tuple[Settings, float | None]] = []
    for number in range(count):
        settings = study.propose(number, known)
        known.append((settings, loss(settings)))
    return known


def test_number_0_is_what_was_given() -> None:
    assert SettingsStudy(RANGES, FIRST, seed=1).propose(0, []) == FIRST


def test_what_was_given_outside_the_ranges_is_brought_inside() -> None:
    assert SettingsStudy(RANGES, {**FIRST, "dropout": 0.9}, seed=1).propose(0, [])["dropout"] == 0.5


def test_cells_with_and_without_a_setting_share_their_first_points() -> None:
    gated = SettingsStudy(RANGES, {**FIRST, "gate_bias": 1.0}, seed=3)
    plain = SettingsStudy(RANGES, FIRST, seed=3)
    for number in range(1, SettingsStudy.START):
        of_gated = gated.propose(number, [])
        assert of_gated.pop("gate_bias") is not None
        assert plain.propose(number, []) == of_gated


def test_other_seeds_give_other_points() -> None:
    assert SettingsStudy(RANGES, FIRST, seed=1).propose(1, []) != SettingsStudy(
        RANGES, FIRST, seed=2
    ).propose(1, [])


def test_the_first_points_fill_the_ranges() -> None:
    points = [settings for settings, _ in told(SettingsStudy(RANGES, FIRST, seed=5), SettingsStudy.START)][1:]
    for name in FIRST:
        low, high = RANGES[name].low, RANGES[name].high
        places = sorted(
            (math.log(p[name] / low) / math.log(high / low))
            if RANGES[name].log
            else (p[name] - low) / (high - low)
            for p in points
        )
        assert places[0] < 0.3 and places[-1] > 0.7


@pytest.mark.parametrize("number", [8, 9, 13])
def test_a_proposal_depends_on_whole_rounds_alone(number: int) -> None:
    """Results that happen to be known beyond them, as after a kill, change nothing."""
    study = SettingsStudy(RANGES, FIRST, seed=7)
    known = told(study, 16)
    needed = study.needs(number)
    assert needed % SettingsStudy.ROUND == 0 and needed <= number
    assert study.propose(number, known[:needed]) == study.propose(number, known)


def test_too_little_told_is_an_error() -> None:
    study = SettingsStudy(RANGES, FIRST, seed=7)
    with pytest.raises(ValueError, match="need the losses of 8 earlier ones, got 7"):
        study.propose(8, told(study, 7))


def test_it_learns_from_what_it_is_told() -> None:
    """Over seeds, the later half of 24 settings is better on average than random ones are."""
    early, late = [], []
    for seed in range(8):
        losses = [value for _, value in told(SettingsStudy(RANGES, FIRST, seed=seed), 24)]
        early += losses[1:8]
        late += losses[12:]
    assert sum(late) / len(late) < 0.75 * sum(early) / len(early)


def test_diverged_settings_are_the_worst() -> None:
    """High rates diverge here: hardly any later proposal goes there."""
    study = SettingsStudy(RANGES, FIRST, seed=11)
    known: list[tuple[Settings, float | None]] = []
    for number in range(24):
        settings = study.propose(number, known)
        known.append((settings, None if settings["learning_rate"] > 0.006 else 1.0))
    high = sum(settings["learning_rate"] > 0.006 for settings, _ in known[12:])
    assert high <= 4


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_every_proposal_lies_in_the_ranges(seed: int, number: int) -> None:
    settings = SettingsStudy(RANGES, FIRST, seed=seed).propose(number, [])
    for name, value in settings.items():
        assert RANGES[name].low <= value <= RANGES[name].high


def test_number_0_is_what_was_given_to_the_last_digit() -> None:
    ranges = {"dropout": Range(low=0.0, high=2 / 3), "clip": Range(low=0.1, high=12.3456, log=True)}
    study = SettingsStudy(ranges, {"dropout": 2 / 3, "clip": 12.3456}, seed=1)
    assert study.propose(0, []) == {"dropout": 2 / 3, "clip": 12.3456}


FURTHER = {
    "decay": Range(low=1e-6, high=0.1, log=True, zero=True),
    "batch": Range(low=8, high=128, log=True, whole=True, near=32),
    "rate": Range(low=0.01 / 30, high=0.1, log=True, near=0.01),
    "drop": Range(low=0.0, high=0.5, near=0.0),
}


@given(st.sampled_from(sorted(FURTHER)), st.floats(0, 1))
def test_values_and_places_belong_to_each_other(name: str, place: float) -> None:
    range = FURTHER[name]
    value = range.value_at(place)
    assert range.low <= value <= range.high or (range.zero and value == 0)
    if range.whole:
        assert type(value) is int
    if value or not range.zero:
        slack = math.log(value / (value - 0.5)) / math.log(16) if range.whole else 0.005
        assert range.place_of(value) == pytest.approx(place, abs=slack + 1e-9)
    assert range.value_at(range.place_of(value)) == value
    assert 0 <= range.denser(place) <= 1


def test_none_is_among_the_first_values_where_it_may_be() -> None:
    """Of 8 seeds' first proposals some are 0, and many are not; none lies between 0 and the range."""
    range = {"decay": FURTHER["decay"]}
    found = [
        SettingsStudy(range, {"decay": 0.0}, seed=seed).propose(number, [])["decay"]
        for seed in (1, 2, 3, 4)
        for number in (1, 2, 3, 4, 5, 6, 7)
    ]
    assert 1 <= sum(value == 0 for value in found) <= 9
    assert all(value == 0 or 1e-6 <= value <= 0.1 for value in found)


@pytest.mark.parametrize("name", ["rate", "batch", "drop"])
def test_the_first_values_lie_denser_around_what_is_near(name: str) -> None:
    """Half of them within a quarter of the way to either end, and some far out."""
    range = FURTHER[name]
    assert range.near is not None
    centre = range.place_of(range.near)
    found = [
        SettingsStudy({name: range}, {name: range.near}, seed=seed).propose(number, [])[name]
        for seed in (1, 2, 3, 4)
        for number in (1, 2, 3, 4, 5, 6, 7)
    ]
    sides = [(range.place_of(value) - centre) for value in found]
    share = [abs(side) / (1 - centre if side > 0 else centre or 1) for side in sides]
    assert 0.35 <= sum(s <= 0.25 for s in share) / len(share) <= 0.65
    assert max(share) > 0.7


def test_what_lies_at_an_edge() -> None:
    decay, drop, rate = FURTHER["decay"], FURTHER["drop"], FURTHER["rate"]
    assert (rate.edge(0.1), rate.edge(0.01 / 30), rate.edge(0.01)) == (0.1, 0.01 / 30, None)
    assert (drop.edge(0.5), drop.edge(0.0), drop.edge(0.2)) == (0.5, None, None)  # 0 is a natural end
    assert (FURTHER["batch"].edge(8), Range(low=1, high=16, log=True, whole=True).edge(1)) == (8, None)
    assert (decay.edge(0.1), decay.edge(0.0), decay.edge(1e-6)) == (0.1, None, None)


def test_later_proposals_know_of_zeros_and_whole_numbers() -> None:
    ranges = {name: FURTHER[name] for name in ("decay", "batch")}
    study = SettingsStudy(ranges, {"decay": 0.0, "batch": 32}, seed=1)
    known: list[tuple[Settings, float | None]] = []
    for number in range(28):
        settings = study.propose(number, known)
        known.append((settings, (settings["decay"] != 0) + abs(math.log(settings["batch"] / 100))))
    late = [settings for settings, _ in known[12:]]
    assert sum(settings["decay"] == 0 for settings in late) >= 2 * ZERO_SHARE * len(late)  # than at random
    assert sum(settings["batch"] > 64 for settings in late) >= len(late) / 2


def test_rounded_values_stay_in_their_range() -> None:
    """To three digits every value here is 0.123 or 0.124, and the range lies between; Optuna is told them as well."""
    study = SettingsStudy({"dropout": Range(low=0.1232, high=0.1238)}, {"dropout": 0.1235}, seed=1)
    known: list[tuple[Settings, float | None]] = []
    for number in range(16):
        settings = study.propose(number, known)
        known.append((settings, settings["dropout"]))
    assert all(0.1232 <= settings["dropout"] <= 0.1238 for settings, _ in known)
