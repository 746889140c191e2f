"""Where places lie in C++: the fields of a call, and the address of a row of each place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run, Schedule

SIZES = ("steps", "batch", "input_size", "hidden_size", "panel", "chunk", "spilled", "d_x_needed")
UNITS = {"hidden": "H", "input": "I", "one": "1"}
"""How many numbers a row has. C++ knows H, I, the batch's B, the step t and, within a stage, its sequence b
and its row r of the whole sequence, t * B + b."""


@dataclass(frozen=True)
class Addresses:
    """The addresses for one schedule."""

    schedule: Schedule
    gradient: Gradient

    @cached_property
    def state_units(self) -> list[str]:
        """The row size of each state path."""
        paths = self.schedule.layout.canonical.states
        return [UNITS[self.schedule.sizes[1 + path]] for path in range(len(paths))]

    @cached_property
    def packed(self) -> dict[tuple[str, Run], str]:
        """The packed matrices: direction and run -> the field that points to them."""
        found: dict[tuple[str, Run], str] = {}
        for stage in self.schedule.stages:
            found |= {("forward", run): f"packed_{len(found) + k}" for k, run in enumerate(stage.forward)}
            found |= {("backward", run): f"packed_{len(found) + k}" for k, run in enumerate(stage.backward)}
        return found

    @cached_property
    def tensors(self) -> list[str]:
        """The parameters that matrices lie in, whose gradients are computed here."""
        runs = [run for stage in self.schedule.stages for run in stage.backward]
        return list(dict.fromkeys(matrix.place.tensor for run in runs for matrix in run.matrices))

    @cached_property
    def gathered(self) -> tuple[str, ...]:
        """The fields of gradients but those in the place of slots, and those of matrices."""
        leaves = [leaf for leaf in self.gradient.places if leaf.kind in (Kind.D_SLOT, Kind.D_KEPT)]
        paths = range(len(self.state_units))
        return ("d_x", "d_output", *(f"d_state_{path}" for path in paths), *sorted(map(field_of, leaves)))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The pointers of a call, in order; the sizes come before them."""
        paths = range(len(self.state_units))
        return (
            *("product", "turned", "pack", "active", "marks", "restarts", "x", "learned", "slots", "moments"),
            *(f"start_{path}" for path in paths),
            *(f"new_{path}" for path in paths),
            *(f"before_{path}" for path in paths if path not in self.schedule.delayed),
            *(f"kept_{k}" for k in range(len(self.schedule.kept))),
            *self.gathered,
            *self.packed.values(),
            *(f"{what}_{k}" for k in range(len(self.tensors)) for what in ("matrix", "grad", "size")),
        )

    def row(self, leaf: Leaf) -> str:
        """Return the address of the row of ``leaf`` that belongs to row r or sequence b."""
        units, field = UNITS[leaf.size], f"c.{field_of(leaf)}"
        match leaf.kind:
            case Kind.SLOT:
                return f"{field} + (r * {len(self.schedule.slots)} + {leaf.index}) * H"
            case Kind.ROW:
                return f"{field} + {self.learned(leaf)}"
            case Kind.MOMENT:
                return f"{field} + r * {2 * len(self.schedule.norms)} + {leaf.index}"
            case Kind.PREVIOUS if leaf.index in self.schedule.delayed:
                new, start = (
                    f"c.new_{leaf.index} + (r - c.batch) * {units}",
                    f"c.start_{leaf.index} + r * {units}",
                )
                return f"(r < c.batch ? {start} : {new})"
            case Kind.PREVIOUS:
                return f"{self.previous(leaf.index)} + b * {units}"
            case Kind.D_PREVIOUS | Kind.D_NEW if leaf.index in self.schedule.delayed:
                return f"{field} + (r + {'c.steps * c.batch' if leaf.kind is Kind.D_NEW else 0}) * {units}"
            case Kind.D_PREVIOUS | Kind.D_NEW:
                return f"{self.d_state(leaf)} + b * {units}"
            case Kind.D_SLOT | Kind.D_KEPT if not self.gradient.is_sequence(leaf):
                return f"{field} + b * {units}"
        return f"{field} + r * {units}"

    def previous(self, path: int) -> str:
        """Return the address of a state path before step t, for all sequences."""
        if path in self.schedule.delayed:
            return self.carried(path)
        units = self.state_units[path]
        return f"(c.marks && c.marks[t] ? c.before_{path} + t * B * {units} : {self.carried(path)})"

    def carried(self, path: int) -> str:
        """Return the address of a state path after the step before t, whether a sequence restarts there or not."""
        units = self.state_units[path]
        return f"(t ? c.new_{path} + (t - 1) * B * {units} : c.start_{path})"

    def d_state(self, leaf: Leaf) -> str:
        """Return the address of the gradient of a state path that is no delayed one; those before and after a
        step take turns."""
        turn = "t" if leaf.kind is Kind.D_NEW else "(t + 1)"
        return f"c.d_state_{leaf.index} + ({turn} & 1) * B * {UNITS[leaf.size]}"

    def learned(self, leaf: Leaf) -> str:
        """Return where learned numbers lie."""
        hidden, inputs, numbers = self.schedule.before(leaf)
        return f"{hidden} * H + {inputs} * I + {numbers}"

    @property
    def learned_count(self) -> str:
        """How many learned numbers the stages read."""
        return self.learned(Leaf(Kind.NUMBER, len(self.schedule.numbers), "one"))
