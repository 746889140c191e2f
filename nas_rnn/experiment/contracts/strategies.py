"""The contract of a strategy: it proposes candidates, hears of them, and comes to an end."""

from __future__ import annotations

from nas_rnn.cells import linear
from nas_rnn.cells.operations import relu, sigmoid, tanh
from nas_rnn.cells.verify import violations
from nas_rnn.spaces import Candidate, search_space
from nas_rnn.strategies import Exhausted, Strategy

ASKED = 30


@search_space
def small_space(choose, x, h):  # type: ignore[no-untyped-def]
    """Have fewer candidates than are asked for, so that the end is seen too."""
    new = choose("activation", [relu, sigmoid, tanh])(linear(x, h))
    if choose("gated", ["no", "yes"]) == "no":
        return new
    for _ in range(choose("depth", range(1, 4))):
        new = sigmoid(linear(x, h)) * new
    return choose("last", [relu, tanh])(new)


def check_proposals(kind: type[Strategy]) -> list[str]:
    """Return what is wrong with a strategy, in sentences."""
    try:
        first, again = _digests(kind, 1), _digests(kind, 1)
    except Exception as error:
        return [" ".join(f"{type(error).__name__}: {error}".split())]
    problems = [problem for problem in first if problem.startswith("it ")]
    if first != again:
        problems.append("two of it with one seed, told the same, propose different candidates")
    return list(dict.fromkeys(problems))


def _digests(kind: type[Strategy], seed: int) -> list[str]:
    """Return the digests of what it proposes, or sentences that begin with "it"."""
    strategy, found = kind(small_space, seed), list[str]()
    for number in range(ASKED):
        try:
            candidate = strategy.ask()
        except Exhausted:
            break
        if not isinstance(candidate, Candidate):
            return [f"it proposes {type(candidate).__name__}, which is no candidate"]
        broken = list(violations(candidate.cell))
        found.append(f"it proposes a cell that breaks rules: {broken[0]}" if broken else candidate.digest)
        # Every fifth diverges; the others are the better the earlier.
        strategy.tell(candidate, None if number % 5 == 4 else 1.0 + number / 10)
    return found
