"""A table of trained cells: all of a part of the space ``gated``, with their validation curves on char-lm.

    from cell_table import CellTable

    table = CellTable.load()  # the one in benchmarks/tables; or the path of another
    strategy = TPE(table.space, seed=0)  # a DecisionSpace, all of whose candidates are in the table
    candidate = strategy.ask()
    strategy.tell(candidate, table.loss(candidate.digest, seed=0, epochs=9))  # None: it had diverged by then

    table.epochs  # of every run
    table.cells  # each with its digest, decisions, size, and runs by seed
    table.cell(candidate.digest).seeds  # (0,), or (0, 1, 2) of the best hundred
    table.curve(candidate.digest, seed=0)  # the loss after each epoch, shorter where the run diverged
    table.candidate(candidate.digest)  # the Candidate of a cell

A search over the table costs no training, so that strategies can be compared on many seeds, also at fewer epochs than
all. `make_cell_table.py` trains and writes a table; docs/cell_table.md says what is in the one that is here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate, Choice, Decisions, DecisionSpace, Label, Pick, SpaceError

SHIPPED = Path(__file__).parent / "tables" / "gated_char_lm.json.gz"
FORMAT = 1
Ending = Literal["finished", "diverged"]
DIGITS = 5
"""Decimals of a loss in bits per character: a tenth of what two seeds differ by has four."""


class PartOfSpace(DecisionSpace):
    """The candidates of a space all of whose decisions are among those ``kept``, by the keys of their choices.

    A choice that is not named keeps all its labels.
    """

    def __init__(self, space: DecisionSpace, kept: Mapping[str, Sequence[Label]]) -> None:
        super().__init__(space._function)
        self.name, self.doc = space.name, space.doc
        self.kept = {key: tuple(labels) for key, labels in kept.items()}
        self._space = space

    def build(self, pick: Pick) -> Candidate:
        """Return the candidate that ``pick``'s answers give; it is asked with the labels that are kept."""
        asked: list[Choice] = []

        def pick_of_kept(choice: Choice) -> Label:
            kept = self.kept.get(choice.key, choice.labels)
            asked.append(replace(choice, labels=tuple(label for label in choice.labels if label in kept)))
            label = pick(asked[-1])
            if label not in asked[-1].labels:
                offered = ", ".join(map(str, asked[-1].labels))
                raise SpaceError(f"the decision {choice.key!r} is {label!r}; this part has {offered}")
            return label

        return replace(self._space.build(pick_of_kept), choices=tuple(asked))


def every_candidate(space: DecisionSpace) -> Iterator[Candidate]:
    """Yield the candidate of each combination of decisions, the first labels of all choices first."""
    open_answers: list[Decisions] = [{}]
    while open_answers:
        given = open_answers.pop()
        answers: Decisions = {}
        others: list[Decisions] = []

        def pick(
            choice: Choice,
            given: Decisions = given,
            answers: Decisions = answers,
            others: list[Decisions] = others,
        ) -> Label:
            if choice.key not in given:
                others.extend({**answers, choice.key: label} for label in choice.labels[1:])
            answers[choice.key] = given.get(choice.key, choice.labels[0])
            return answers[choice.key]

        yield space.build(pick)
        open_answers.extend(reversed(others))


@dataclass(frozen=True)
class TabledRun:
    """A run: the loss on the validation part after each epoch, and whether that is all of them.

    ``cpu_seconds`` is what the run took of its worker's processors, compiling included; None where that is not known.
    """

    curve: tuple[float, ...]
    ending: Ending
    cpu_seconds: float | None = None

    def loss(self, epochs: int) -> float | None:
        """Return the best loss within so many epochs, as a search reads it; None where the run diverged within them."""
        if self.ending == "diverged" and epochs > len(self.curve):
            return None
        return min(self.curve[:epochs])


@dataclass(frozen=True)
class TabledCell:
    """A cell of the table: what gives it in its space, the size it was trained at, and its runs by seed."""

    digest: str
    decisions: Decisions
    hidden_size: int
    parameters: int
    runs: Mapping[int, TabledRun]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted(self.runs))


@dataclass(frozen=True)
class CellTable:
    """Trained cells with their curves. ``about`` says of what training: data, options, versions, processor."""

    about: Mapping[str, Any]
    cells: tuple[TabledCell, ...]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> CellTable:
        """Read a table that `save` wrote; UserError for a file that is none."""
        try:
            data = json.loads(gzip.decompress(path.read_bytes()))
            if data["format"] != FORMAT:
                raise UserError(f"{path} is a table of format {data['format']}; this reads format {FORMAT}")
            return cls(data["about"], tuple(map(_read_cell, data["cells"])))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no table of trained cells: {error!r}") from error

    def save(self, path: Path) -> None:
        """Write the table; equal tables give equal files."""
        data = {"format": FORMAT, "about": self.about, "cells": [_plain(cell) for cell in self.cells]}
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
        path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))

    @property
    def epochs(self) -> int:
        """How many epochs every run has that did not diverge."""
        return int(self.about["training"]["epochs"])

    @cached_property
    def space(self) -> PartOfSpace:
        """The space of the table's cells: every candidate of it is in the table."""
        space = load_space(self.about["space"])
        assert isinstance(space, DecisionSpace)
        return PartOfSpace(space, self.about["kept"])

    def cell(self, digest: str) -> TabledCell:
        """Return the cell of that digest; UserError where the table has none."""
        if digest not in self._by_digest:
            raise UserError(f"the table has no cell {digest!r}; it has those of CellTable.space")
        return self._by_digest[digest]

    def candidate(self, digest: str) -> Candidate:
        """Return the cell of that digest as a candidate of `space`."""
        return self.space.replay(self.cell(digest).decisions)

    def loss(self, digest: str, seed: int = 0, epochs: int | None = None) -> float | None:
        """Return the best validation loss within so many epochs (None: all), in bits per character.

        None where the run had diverged by then. UserError where no such run is in the table.
        """
        epochs = self.epochs if epochs is None else epochs
        if not 1 <= epochs <= self.epochs:
            raise UserError(f"the table's runs have 1 to {self.epochs} epochs, not {epochs}")
        return self._run(digest, seed).loss(epochs)

    def curve(self, digest: str, seed: int = 0) -> tuple[float, ...]:
        """Return the validation loss after each epoch, in bits per character; shorter where the run diverged."""
        return self._run(digest, seed).curve

    def _run(self, digest: str, seed: int) -> TabledRun:
        cell = self.cell(digest)
        if seed not in cell.runs:
            raise UserError(
                f"the cell {digest} was trained on the seeds {', '.join(map(str, cell.seeds))}, not on {seed}"
            )
        return cell.runs[seed]

    @cached_property
    def _by_digest(self) -> dict[str, TabledCell]:
        return {cell.digest: cell for cell in self.cells}


def _plain(cell: TabledCell) -> dict[str, Any]:
    return {
        "digest": cell.digest,
        "decisions": cell.decisions,
        "hidden_size": cell.hidden_size,
        "parameters": cell.parameters,
        "runs": {
            str(seed): {
                "curve": [round(loss, DIGITS) for loss in run.curve],
                "ending": run.ending,
                "cpu_seconds": run.cpu_seconds,
            }
            for seed, run in sorted(cell.runs.items())
        },
    }


def _read_cell(data: Mapping[str, Any]) -> TabledCell:
    runs = {
        int(seed): TabledRun(tuple(run["curve"]), run["ending"], run["cpu_seconds"])
        for seed, run in data["runs"].items()
    }
    return TabledCell(data["digest"], data["decisions"], data["hidden_size"], data["parameters"], runs)
