"""Spaces: choices are plain decisions, replay, conditions, and their errors."""

import numpy as np
import pytest

import nas_rnn
from nas_rnn.cells import CellError, linear
from nas_rnn.cells.graph.operations import identity, relu, sigmoid, tanh
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import Candidate, SpaceError, search_space


@search_space
def small(choose, x, h, c):
    """Two branches."""
    act = choose("act", [tanh, relu, identity])
    depth = choose("depth", range(1, 4))
    value = linear(x, h)
    for _ in range(depth):
        value = act(linear(value))
    if choose("memory", ["yes", "no"]) == "no":
        return value, None
    return value, c * choose("keep", [sigmoid, tanh])(linear(x)) + value


def test_equal_seeds_give_equal_candidates_and_decisions_are_plain():
    one, two = small.sample(5), small.sample(5)
    assert one.cell == two.cell and one.decisions == two.decisions
    assert all(isinstance(label, (str, int)) for label in one.decisions.values())
    assert isinstance(one.decisions["depth"], int)


def test_a_candidate_shows_its_decisions_in_one_line():
    candidate = small.replay({"act": "tanh", "depth": 2, "memory": "no"})
    assert repr(candidate) == f"Candidate('{candidate.cell.name}', act=tanh, depth=2, memory=no)"
    assert repr(Candidate(load_cell("lstm"))) == "Candidate('lstm')"
    many = Candidate(load_cell("lstm"), {f"choice_{number}": "two\nlines" for number in range(50)})
    assert repr(many).startswith("Candidate('lstm', choice_0=two lines, ") and repr(many).endswith(" ...)")
    assert len(repr(many)) <= 111


def test_replay_gives_the_same_cell():
    for seed in range(50):
        candidate = small.sample(seed)
        assert small.replay(candidate.decisions).cell == candidate.cell


def test_replay_drops_what_no_longer_occurs_and_draws_what_is_new():
    with_memory = {"act": "tanh", "depth": 2, "memory": "yes", "keep": "sigmoid"}
    assert "keep" not in small.replay({**with_memory, "memory": "no"}).decisions
    without = {"act": "tanh", "depth": 2, "memory": "no"}
    drawn = small.replay({**without, "memory": "yes"}, np.random.default_rng(0))
    assert drawn.decisions["keep"] in ("sigmoid", "tanh")
    with pytest.raises(SpaceError, match=r"lack 'keep'; on offer are \{sigmoid, tanh\}"):
        small.replay({**without, "memory": "yes"})


def test_a_decision_that_is_not_on_offer_names_what_is():
    with pytest.raises(SpaceError, match="'act' of 'small' is 'cosine'; on offer are tanh, relu, identity"):
        small.replay({"act": "cosine", "depth": 2, "memory": "no"})


def test_a_state_path_that_is_not_used_is_dropped():
    assert [p.name for p in small.replay({"act": "tanh", "depth": 1, "memory": "no"}).cell.states] == ["h"]


def test_a_dropped_state_path_may_not_be_read():
    @search_space
    def wrong(choose, x, h, c):
        return tanh(linear(x, h)) * c, None

    with pytest.raises(CellError, match="state path 'c' is read but its next value is None"):
        wrong.sample(0)


def test_equal_labels_and_no_options_are_errors():
    @search_space
    def twice(choose, x, h):
        return choose("act", [tanh, tanh])(linear(x, h))

    @search_space
    def empty(choose, x, h):
        return choose("act", [])(linear(x, h))

    with pytest.raises(SpaceError, match="several options labelled tanh"):
        twice.sample(0)
    with pytest.raises(SpaceError, match="no options"):
        empty.sample(0)


def test_a_name_with_other_options_needs_its_condition():
    def conditional(given):
        @search_space
        def named(choose, x, h):
            if choose("kind", ["a", "b"]) == "a":
                return choose("act", [tanh, relu], given="kind=a" if given else "")(linear(x, h))
            return choose("act", [sigmoid], given="kind=b" if given else "")(linear(x, h))

        return named

    unmarked = conditional(False)
    with pytest.raises(SpaceError, match="given="):
        for seed in range(20):
            unmarked.sample(seed)
    keys = {key for seed in range(20) for key in conditional(True).sample(seed).decisions}
    assert keys == {"kind", "act|kind=a", "act|kind=b"}


def test_a_function_without_a_state_path_is_refused():
    with pytest.raises(SpaceError, match="at least one state path"):

        @search_space
        def wrong(choose, x):
            return x


KNOWN_POINTS = {
    "rnn": {"memory": "none", "candidate": "tanh", "reset": "none"},
    "lstm": {
        "memory": "cell",
        "peepholes": "no",
        "candidate": "tanh",
        "reset": "none",
        "update": "input and forget",
        "input_reads": "x and h",
        "forget_reads": "x and h",
        "exposed": "tanh",
        "output_gate": "yes",
        "output_reads": "x and h",
    },
    "gru": {
        "memory": "hidden",
        "candidate": "tanh",
        "reset": "after",
        "reset_reads": "x and h",
        "update": "1 - forget",
        "forget_reads": "x and h",
    },
    "lstm_cifg": {
        "memory": "cell",
        "peepholes": "yes",
        "candidate": "tanh",
        "reset": "none",
        "update": "1 - input",
        "input_reads": "x and h",
        "exposed": "tanh",
        "output_gate": "yes",
        "output_reads": "x and h",
    },
    "lstm_peephole": {
        "memory": "cell",
        "peepholes": "yes",
        "candidate": "tanh",
        "reset": "none",
        "update": "input and forget",
        "input_reads": "x and h",
        "forget_reads": "x and h",
        "exposed": "tanh",
        "output_gate": "yes",
        "output_reads": "x and h",
    },
}


@pytest.mark.parametrize("name", KNOWN_POINTS)
def test_published_cells_are_points_of_gated(name):
    candidate = load_space("gated").replay(KNOWN_POINTS[name])
    assert candidate.decisions == KNOWN_POINTS[name]
    assert candidate.digest == load_cell(name).digest


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("vanilla", "lstm_peephole"),
        ("no_input_gate", "lstm_nig"),
        ("no_forget_gate", "lstm_nfg"),
        ("no_output_gate", "lstm_nog"),
        ("no_input_activation", "lstm_niaf"),
        ("no_output_activation", "lstm_noaf"),
        ("coupled_input_forget", "lstm_cifg"),
        ("no_peepholes", "lstm_np"),
        ("full_gate_recurrence", "lstm_fgr"),
    ],
)
def test_lstm_ablations_gives_each_of_greff_et_al(variant, name):
    assert load_space("lstm_ablations").replay({"variant": variant}).digest == load_cell(name).digest


def test_gated_is_wide_and_every_sample_verifies():
    digests = {load_space("gated").sample(seed).digest for seed in range(300)}
    assert len(digests) > 200


def test_the_python_door():
    candidate = nas_rnn.load_space("gated").sample(1)
    assert nas_rnn.parse_cell(candidate.cell.to_text()) == candidate.cell
