"""Constraints of a search: every strategy keeps to them, they outlive an interruption, and too narrow ones are said."""

import os
import signal

import mlflow
import pytest

import nas_rnn
from nas_rnn.catalogue.listing import listing
from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import RunEnded, Started
from nas_rnn.experiment.stages.strategy import make_strategy
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.spaces import parse_constraints
from nas_rnn.strategies import Study
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

RULES = ["products<=3", "contains=tanh", "states<=2"]
FEW = ["products<=1", "states<=1", "contains=relu"]
"""Eighteen cells of the space `gated` keep these."""


@pytest.mark.parametrize(
    ("strategy", "space"),
    [
        ("random", "gated"),
        ("tpe", "gated"),
        ("evolution", "gated"),
        ("random", "nas_bench_nlp"),
        ("evolution", "nas_bench_nlp"),
    ],
)
def test_what_a_strategy_proposes_keeps_the_constraints(strategy, space):
    config = read_config(SearchConfig, {"space": space, "strategy": strategy, "constraints": RULES})
    made = make_strategy(config, 0)
    limits = parse_constraints(RULES)
    seen = set()
    for number in range(16):
        candidate = made.ask()
        assert limits.broken(candidate.cell) == ()
        seen.add(candidate.digest)
        made.tell(candidate, float(number))
    assert len(seen) > 8


@pytest.fixture(scope="module")
def place(tmp_path_factory, with_store):
    folder = tmp_path_factory.mktemp("constrained")
    write_text(folder / "text.txt")
    with_store(folder / "runs")
    return folder


def test_a_resumed_search_keeps_its_constraints_and_ends_when_no_candidate_is_left(place):
    started = []

    def interrupt(event, progress):
        if isinstance(event, Started):
            started.append((event.space, event.constraints))
        if isinstance(event, RunEnded) and event.role == "candidate":
            os.kill(os.getpid(), signal.SIGINT)

    options = {**TINY, "epochs": 1, "space": "gated", "constraints": FEW, "trials": 40, "backend": "eager"}
    given = {"data": place / "text.txt", "name": "few", "runs": place / "runs"}
    with in_process():
        assert nas_rnn.search(**options, **given, observer=interrupt).status == "interrupted"
    assert started == [("gated", tuple(FEW))]
    with pytest.raises(UserError, match="constraints cannot be changed"):
        nas_rnn.search(resume="few", constraints=["products<=2"], runs=place / "runs")

    with in_process():
        result = nas_rnn.search(resume="few", runs=place / "runs")
    assert result.status == "complete"
    assert any(
        "break constraints: " in notice and "the search ends after" in notice for notice in result.notices
    )
    limits = parse_constraints(FEW)
    trials = Study.open(place / "runs/few/study.journal", "search").trials()
    assert 10 < len(trials) <= 18
    assert all(limits.broken(trial.candidate.cell) == () for trial in trials)
    assert limits.broken(parse_cell(result.best.cell)) == ()

    (row,) = listing("searches", runs=place / "runs")
    assert row["constraints"] == ", ".join(FEW)
    client = mlflow.MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("char-lm · text.txt")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.role = 'search'")
    assert parent.data.params["constraints"] == ", ".join(FEW)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["products<=0", "contains=layer_norm"], "loosen contains=layer_norm or choose another space"),
        (["contains=layernorm"], "did you mean 'layer_norm'"),
        ("products<=3", r'constraints: a list of texts is needed, \["products<=3"\], not a single text'),
    ],
)
def test_constraints_that_cannot_be_kept_or_read_begin_no_search(place, rules, message):
    with pytest.raises(UserError, match=message):
        nas_rnn.search(**TINY, data=place / "text.txt", constraints=rules, name="none", runs=place / "runs")
    assert not (place / "runs/none").exists()


def test_an_operation_of_a_plugin_can_be_a_constraint(place):
    (place / "ops").mkdir()
    (place / "ops" / "odd.py").write_text(
        "from nas_rnn import linear, operation, relu, search_space\n"
        'twice = operation("test_twice", value="2 * a", derivative="2")\n'
        "@search_space\n"
        "def odd(choose, x, h):\n"
        '    """Four cells, of which two have the operation."""\n'
        '    act = choose("act", [relu, twice])\n'
        '    return act(linear(x, h)) if choose("order", ["a", "b"]) == "a" else act(linear(x) + linear(h))\n'
    )
    nas_rnn.plugins.use_folders([place / "ops"])
    config = read_config(SearchConfig, {"space": "odd", "constraints": ["contains=test_twice"]})
    strategy = make_strategy(config, 0)
    assert {strategy.ask().decisions["act"] for _ in range(2)} == {"test_twice"}
