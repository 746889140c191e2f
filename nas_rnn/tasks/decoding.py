"""Choosing one symbol after another from a model that needs the last one: greedily, by drawing, or by beam search.

A model gives ``step(symbols_R, state) -> (logits_RV, state)`` for R rows, and ``select(state, rows_R) -> state``: the
state of those rows, in that order, of which some may come twice. Every row is decoded by itself: which others stand
beside it changes nothing.

Shapes: R rows, B columns of a batch, K hypotheses of a column, V symbols, T steps. An exported model may have this
file's source in it, so it imports torch alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
Select = Callable[[Any, Tensor], Any]


class Decoded(NamedTuple):
    """What was chosen: ``symbols_TB``, filled up with the end's symbol, of which ``lengths_B`` come before the end.

    ``log_B`` is the logarithm of each column's probability, its end included.
    """

    symbols_TB: Tensor
    lengths_B: Tensor
    log_B: Tensor

    def rows(self) -> list[list[int]]:
        """Return the symbols of each column without its end."""
        return [
            column[:length]
            for column, length in zip(self.symbols_TB.T.tolist(), self.lengths_B.tolist(), strict=True)
        ]


def follow(
    step: Step,
    state: Any,
    first_B: Tensor,
    *,
    end: int,
    longest: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Decoded:
    """Go on from the symbols ``first_B``, at most ``longest`` steps, each to the likeliest symbol.

    A ``temperature`` above 0 divides the logits, and every symbol is then drawn from ``generator``, on its device.
    """
    symbols_B, ended_B = first_B, torch.zeros_like(first_B, dtype=torch.bool)
    chosen, lengths_B, log_B = list[Tensor](), torch.zeros_like(first_B), None
    for _ in range(longest):
        logits_BV, state = step(symbols_B, state)
        log_BV = logits_BV.log_softmax(-1)
        if temperature > 0.0:
            share_BV = (logits_BV.double() / temperature).softmax(-1)
            device = share_BV.device if generator is None else generator.device
            symbols_B = torch.multinomial(share_BV.to(device), 1, generator=generator)[:, 0].to(
                first_B.device
            )
        else:
            symbols_B = log_BV.argmax(-1)
        gained_B = log_BV.gather(1, symbols_B[:, None])[:, 0].masked_fill(ended_B, 0.0)
        log_B = gained_B if log_B is None else log_B + gained_B
        symbols_B = symbols_B.masked_fill(ended_B, end)
        ended_B = ended_B | (symbols_B == end)
        lengths_B = lengths_B + ~ended_B
        chosen.append(symbols_B)
        if bool(ended_B.all()):
            break
    assert log_B is not None, "at least one step is needed"
    return Decoded(torch.stack(chosen), lengths_B, log_B)


def beam_search(
    step: Step,
    select: Select,
    state: Any,
    first_B: Tensor,
    *,
    end: int,
    longest: int,
    beam: int,
    penalty: float = 1.0,
) -> Decoded:
    """Return for each column the best of what a search over its ``beam`` likeliest hypotheses finds.

    Hypotheses compete by their log-probability, and those that ended by it divided by (symbols with the end) **
    ``penalty``: by the mean over symbols where that is 1. A column is done when as many have ended as the beam is wide,
    or after ``longest`` steps; the best that goes on then counts where none has ended. Only an end among the ``beam``
    likeliest continuations ends a hypothesis, so that a beam of 1 is `follow`.
    """
    if beam == 1:
        return follow(step, state, first_B, end=end, longest=longest)
    batch, device = len(first_B), first_B.device
    columns_B1 = torch.arange(batch, device=device)[:, None]
    state = select(state, torch.arange(batch, device=device).repeat_interleave(beam))
    symbols_R = first_B.repeat_interleave(beam)
    found = _Found(batch, longest, end, device)
    log_BK: Tensor | None = None
    history_BKT = symbols_R.new_full((batch, beam, longest), end)
    for place in range(longest):
        logits_RV, state = step(symbols_R, state)
        gained_BKV = logits_RV.log_softmax(-1).view(batch, beam, -1)
        if log_BK is None:  # at first all hypotheses are one
            log_BK = gained_BKV.new_full((batch, beam), -math.inf)
            log_BK[:, 0] = 0.0
        size = gained_BKV.shape[-1]
        continued_BC = (log_BK[:, :, None] + gained_BKV).flatten(1)
        # At most one continuation of each hypothesis is an end, so that beam others remain.
        log_BC, picked_BC = continued_BC.topk(min(2 * beam, continued_BC.shape[1]), dim=1)
        parents_BC, symbols_BC = picked_BC // size, picked_BC % size
        ends_BC = symbols_BC == end
        found.add(history_BKT[columns_B1, parents_BC], log_BC, ends_BC, place, beam, penalty)
        # A stable sort by whether it ends leaves those that go on in their order, first.
        going_BK = ends_BC.long().sort(dim=1, stable=True).indices[:, :beam]
        log_BK = log_BC.gather(1, going_BK).masked_fill(ends_BC.gather(1, going_BK), -math.inf)
        parents_BK = parents_BC.gather(1, going_BK)
        symbols_BK = symbols_BC.gather(1, going_BK)
        history_BKT = history_BKT[columns_B1, parents_BK]
        history_BKT[:, :, place] = symbols_BK
        if bool((found.ended_B >= beam).all()):
            break
        symbols_R = symbols_BK.flatten()
        state = select(state, (parents_BK + columns_B1 * beam).flatten())
    assert log_BK is not None, "at least one step is needed"
    return found.best(history_BKT[:, 0], log_BK[:, 0])


def state_rows(state: Any, rows_R: Tensor) -> Any:
    """Return those rows of recurrent layers' state: tensors (layers, B, size), tuples of them, or None."""
    if state is None:
        return None
    return (
        state[:, rows_R] if isinstance(state, Tensor) else tuple(state_rows(part, rows_R) for part in state)
    )


class _Found:
    """The best hypothesis of each column that has ended, and how many have."""

    def __init__(self, batch: int, longest: int, end: int, device: torch.device) -> None:
        self.score_B: Tensor | None = None
        self.ended_B = torch.zeros(batch, dtype=torch.long, device=device)
        self.symbols_BT = torch.full((batch, longest), end, dtype=torch.long, device=device)
        self.lengths_B = torch.zeros(batch, dtype=torch.long, device=device)
        self.log_B: Tensor | None = None

    def add(
        self, history_BCT: Tensor, log_BC: Tensor, ends_BC: Tensor, length: int, beam: int, penalty: float
    ) -> None:
        """Take in those of C continuations, best first, that end after ``length`` symbols; not of done columns."""
        if self.score_B is None or self.log_B is None:
            self.score_B = log_BC.new_full((len(log_BC),), -math.inf)
            self.log_B = log_BC.new_full((len(log_BC),), -math.inf)
        open_B = self.ended_B < beam
        likely_C = torch.arange(log_BC.shape[1], device=log_BC.device) < beam
        counts_BC = ends_BC & likely_C & open_B[:, None] & log_BC.isfinite()
        best_B, which_B = log_BC.masked_fill(~counts_BC, -math.inf).max(dim=1)
        score_B = best_B / (length + 1) ** penalty
        better_B = score_B > self.score_B
        columns_B = torch.arange(len(log_BC), device=log_BC.device)
        self.score_B = torch.where(better_B, score_B, self.score_B)
        self.log_B = torch.where(better_B, best_B, self.log_B)
        self.symbols_BT = torch.where(better_B[:, None], history_BCT[columns_B, which_B], self.symbols_BT)
        self.lengths_B = torch.where(better_B, length, self.lengths_B)
        self.ended_B = self.ended_B + counts_BC.sum(1)

    def best(self, going_BT: Tensor, log_B: Tensor) -> Decoded:
        """Return what has ended, or where nothing has, what goes on."""
        assert self.log_B is not None
        none_B = self.ended_B == 0
        symbols_BT = torch.where(none_B[:, None], going_BT, self.symbols_BT)
        lengths_B = torch.where(none_B, symbols_BT.shape[1], self.lengths_B)
        return Decoded(symbols_BT.T, lengths_B, torch.where(none_B, log_B, self.log_B))
