"""The 14 practices of Lindauer & Hutter, answered for one run from what is known of it.

Marius Lindauer and Frank Hutter, "Best Practices for Scientific Research on Neural Architecture Search", Journal of
Machine Learning Research 21 (243), 2020. Numbers and order are theirs, the wording is ours. What a run cannot know,
such as whether anybody publishes it, is said to be open.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Reply = Literal["yes", "partly", "open", "no", "not asked"]

SOURCE = "Lindauer & Hutter, Best Practices for Scientific Research on Neural Architecture Search, JMLR 21 (243), 2020"
CLOSE = 0.01
"""Up to this relative mismatch of parameters two models count as equally large."""


@dataclass(frozen=True, kw_only=True)
class OnTest:
    """Relative differences to the baseline on the test part, negative is better; None for what was not measured.

    ``winner`` is the cell that was found, ``random_search`` the best of a random search with as many candidates,
    ``random_cells`` the median and the range of cells drawn at random with the baseline's mean, in the metric's unit,
    ``random_diverged`` how many of those diverged ("2 of 5").
    """

    winner: float | None = None
    random_search: float | None = None
    random_cells: str = ""
    random_diverged: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a run, as far as the checklist asks; counts are of runs, ``seconds`` of training.

    ``candidates`` and ``control`` count those that the strategy, and a random search beside it, proposed, ``trained``
    those of the strategy that were trained (the others were known already); ``typical``
    is the median gap of random candidates to the baseline on validation data. ``mismatch`` is the largest of the
    parameters, where sizes were made equal by ``match``. ``read_before`` names those that read the same test part
    earlier. ``tuned`` says so of everybody in the final, ``tuning`` counts the tuning runs of each cell that has any.
    ``options`` are those that tuning would choose. ``parts`` are (name, runs, core-seconds).
    ``environment`` is one line on machine and versions, empty where that was not recorded.
    """

    kind: Literal["search", "compare", "ablate"]
    name: str
    task: str
    own_data: bool
    version: str
    own_plugins: tuple[str, ...] = ()
    space: str | None = None
    strategy: str | None = None
    seed: int = 0
    candidates: int = 0
    trained: int = 0
    control: int = 0
    found: OnTest = OnTest()
    typical: float | None = None
    ablations: tuple[str, ...] = ()
    final_seeds: int = 0
    match: str = "params"
    mismatch: float = 0.0
    read_before: tuple[str, ...] = ()
    tuned: tuple[bool, ...] = ()
    tuning: tuple[int, ...] = ()
    options: str = ""
    parts: tuple[tuple[str, int, float], ...] = ()
    hosts: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    environment: str = ""
    complete: bool = True
    until_end: bool = False


@dataclass(frozen=True)
class Answer:
    """One practice (its number, a short name), the reply, and why, in this run's own figures."""

    number: int
    practice: str
    reply: Reply
    why: str


def checklist(facts: Facts) -> list[Answer]:
    """Return the 14 answers."""
    return [
        Answer(number, practice, *answer(facts))
        for number, (practice, answer) in enumerate(_PRACTICES, start=1)
    ]


Said = tuple[Reply, str]


def _training_code(facts: Facts) -> Said:
    told = (
        f"It is nas_rnn {facts.version} with the task {facts.task}; every run's options and seeds are kept."
    )
    return "partly", f"{told} {_to_publish(facts)}"


def _method_code(facts: Facts) -> Said:
    if facts.kind != "search":
        return "not asked", "No search was run: the cells were given."
    told = f"The strategy is {facts.strategy}, the space {facts.space}, both named with their version and content."
    return "partly", f"{told} {_to_publish(facts)}"


def _to_publish(facts: Facts) -> str:
    if facts.own_plugins:
        return f"To be published with it: {', '.join(facts.own_plugins)}. Whether that happens is not known here."
    return "All of it comes with nas_rnn. Whether the run is published is not known here."


def _publish_now(facts: Facts) -> Said:
    return (
        "open",
        "The folder of this run is complete: it can be published as it is.",
    )


def _same_benchmark(facts: Facts) -> Said:
    told = "All runs used the same task, data split, search space and training code."
    if facts.kind != "search":
        told = "All runs used the same task, data split and training code."
    missing = ["the data"] if facts.own_data else []
    missing += [f"own plugins ({', '.join(facts.own_plugins)})"] if facts.own_plugins else []
    if missing:
        return "partly", f"{told} To use the same benchmark, others need {' and '.join(missing)}."
    return (
        "yes",
        f"{told} Data, task and space come with nas_rnn {facts.version}, so others can use the same benchmark.",
    )


def _ablation(facts: Facts) -> Said:
    if facts.kind == "ablate":
        return "partly", "This run is an ablation of the cell. The search method was not ablated."
    if facts.ablations:
        return (
            "partly",
            f"The cell was ablated in {', '.join(facts.ablations)}; the search method was not.",
        )
    return (
        "open",
        f"None yet. `nas-rnn ablate {shlex.quote(facts.name)}` trains the cell with one part removed at a time.",
    )


def _length(facts: Facts) -> str:
    """Say how long everybody was trained."""
    return "each trained until it stopped improving" if facts.until_end else "the same limit of epochs"


def _same_protocol(facts: Facts) -> Said:
    if not facts.complete:
        return "open", "The final, in which all cells are measured alike, has not ended."
    told = f"Paired data order, {_count(facts.final_seeds, 'seed')} each, {_length(facts)}"
    if len(set(facts.tuned)) > 1:
        return "no", f"{told}; but only some of the cells were tuned."
    if len(set(facts.tuning)) > 1:
        return (
            "partly",
            f"{told}; but tuning took {_range(facts.tuning)} runs per cell, not the same number for all.",
        )
    told += f"; {facts.tuning[0]} tuning runs each" if facts.tuning else ""
    if facts.match != "params":
        how = {"time": "time per step", "hidden": "hidden size"}.get(facts.match, facts.match)
        told += f"; sizes matched by {how}, parameters within {facts.mismatch:.1%}"
    elif facts.mismatch > CLOSE:
        return "partly", f"{told}; but parameters differ by up to {facts.mismatch:.1%}."
    else:
        told += f"; parameters equal within {facts.mismatch:.1%}"
    if facts.read_before:
        return (
            "partly",
            f"{told}; but the same test data had been read before, in {', '.join(facts.read_before)}.",
        )
    return "yes", f"{told}; test data read once."


def _over_budget(facts: Facts) -> Said:
    if facts.kind != "search":
        return "not asked", "No search was run."
    if facts.candidates < 2:
        return "open", f"{_count(facts.candidates, 'candidate')} is too few for a curve over the budget."
    return "partly", (
        f"The report plots the best so far over {facts.candidates} candidates and over training time, on validation "
        "data; intermediate winners were not fully trained and tested."
    )


_NO_SAMPLING = " The final did not measure single random cells."


def _against_random(facts: Facts) -> Said:
    if facts.kind != "search":
        return "not asked", "No search was run."
    sampling = _random_cells(facts)
    if facts.strategy == "random":
        return (
            "yes" if sampling else "partly"
        ), f"The strategy is random search itself.{sampling or _NO_SAMPLING}"
    if not facts.control:
        return ("partly" if sampling else "open"), (
            f"No random search ran beside {facts.strategy}, so whether {facts.strategy} helped is not known.{sampling}"
        )
    found, both = facts.found, ""
    if found.winner is not None and found.random_search is not None:
        both = f" On the test data {_gap(found.winner)} against {_gap(found.random_search)}."
    told = f"Random search had {facts.control} candidates, {facts.strategy} {facts.candidates}.{both}"
    enough = facts.control >= facts.trained and both and sampling
    return ("yes" if enough else "partly"), f"{told}{sampling or _NO_SAMPLING}"


def _random_cells(facts: Facts) -> str:
    """Say how random cells did; empty where the final did not measure that."""
    if facts.found.random_diverged:
        return f" {facts.found.random_diverged} random cells diverged in the final."
    if not facts.found.random_cells:
        return ""
    median = (
        ""
        if facts.typical is None
        else f"; the median candidate had {_gap(facts.typical)} on validation data"
    )
    return f" The median of random cells on the test data was {facts.found.random_cells}{median}."


def _several_runs(facts: Facts) -> Said:
    if facts.final_seeds < 2:
        return "no", "The final had one seed." if facts.final_seeds else "There was no final."
    told = f"The final had {facts.final_seeds} paired seeds, all recorded"
    if facts.kind != "search":
        return "yes", f"{told}."
    return (
        "partly",
        f"{told}. The search as a whole ran once, from seed {facts.seed}; another seed may find another cell.",
    )


def _tabular(facts: Facts) -> Said:
    if facts.kind != "search":
        return "not asked", "No search was run."
    return (
        "no",
        f"{_trained(facts)}; no figure comes from a table or a surrogate model.",
    )


def _trained(facts: Facts) -> str:
    if facts.trained == facts.candidates:
        return f"All {_count(facts.candidates, 'candidate')} were trained"
    return f"{facts.trained} of {_count(facts.candidates, 'candidate')} were trained, the others were known already"


def _confounders(facts: Facts) -> Said:
    if not facts.hosts:
        return "open", "The machines that trained the runs are not recorded."
    hosts, backends = ", ".join(facts.hosts), ", ".join(facts.backends)
    told = f"Machines: {hosts}; backends: {backends}; one version of nas_rnn for all runs."
    if len(facts.hosts) > 1 or len(facts.backends) > 1:
        return "partly", f"{told} These differ between runs, so speeds cannot be compared."
    return (
        "yes",
        f"{told} Runs that share a machine slow each other down, so times are less reliable than scores.",
    )


def _tuning_told(facts: Facts) -> Said:
    if facts.tuning:
        seconds = sum(spent for part, _, spent in facts.parts if part == "tuning")
        time = f", in {_duration(seconds)} of training" if seconds else ""
        return (
            "yes",
            f"{_range(facts.tuning)} tuning runs per cell{time}; the section on tuning has their results.",
        )
    return (
        "partly",
        f"No cell was tuned: all used {facts.options}. Tuning might change the verdict.",
    )


def _end_to_end(facts: Facts) -> Said:
    if not facts.complete or not facts.parts:
        return "open", "The run has not finished."
    runs, seconds = sum(p[1] for p in facts.parts), sum(p[2] for p in facts.parts)
    named = ", ".join(f"{part} {_duration(spent)}" for part, _, spent in facts.parts)
    counted = f" of {_count(runs, 'run')}" if runs else ""
    return "yes", f"{_duration(seconds)} of training{counted}: {named}."


def _all_details(facts: Facts) -> Said:
    told = f"Configuration, seeds and every run's curve are in the folder; nas_rnn {facts.version}."
    if facts.environment:
        return "yes", f"{told} Machine and versions: {facts.environment}."
    return "partly", f"{told} The machine and the versions of the libraries were not recorded."


def _gap(gap: float) -> str:
    return f"{gap:+.1%}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _range(numbers: tuple[int, ...]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


_PRACTICES: tuple[tuple[str, Callable[[Facts], Said]], ...] = (
    ("Release the code of the training pipeline", _training_code),
    ("Release the code of the search method", _method_code),
    ("Release it now, not after tidying up", _publish_now),
    ("Use the same benchmark, not only the same data", _same_benchmark),
    ("Run ablations", _ablation),
    ("Evaluate everything by one protocol", _same_protocol),
    ("Show performance over the budget", _over_budget),
    ("Compare with random sampling and random search", _against_random),
    ("Run several times with different seeds", _several_runs),
    ("Use tabular or surrogate benchmarks where possible", _tabular),
    ("Control confounding factors", _confounders),
    ("Report how hyperparameters were tuned", _tuning_told),
    ("Report the resources from end to end", _end_to_end),
    ("Report every detail of the setup", _all_details),
)
