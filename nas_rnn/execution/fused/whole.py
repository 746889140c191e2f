"""A sequence whose stages before the loop, and the products with what these compute, are run for all steps at once, by
torch's own products: what a GPU is fast at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run


class WholeSequence(Buffers):
    """Makes the products for the whole sequence; those of the steps and all elementwise code are where the abstract
    methods are defined."""

    @abstractmethod
    def loop(self, direction: str) -> None:
        """Run the steps, "forward" or "backward"."""

    @abstractmethod
    def bulk_stage(self, direction: str, number: int) -> None:
        """Run the code of a stage before the loop for the whole sequence."""

    @abstractmethod
    def learned_gradient(self) -> Tensor:
        """Return the gradient of the learned numbers, after all stages backwards."""

    def run_forward(self) -> None:
        for stage in self.schedule.stages:
            if stage.bulk:
                self.bulk_stage("forward", stage.number)
                for run in stage.forward:
                    self.bulk_product(run)
        self.loop("forward")

    def bulk_product(self, run: Run) -> None:
        """Multiply a sequence by matrices into neighbouring slots."""
        for slot, weight, columns in self.pieces(run):
            target = self.columns(slot, weight.shape[0])
            for source, rows in self.sources(run.source):
                part = source if columns is None else source[:, columns[0] : columns[1]]
                self.multiply(part, weight.t(), target[rows], run.adds)

    def run_backward(self, needs_x: bool, needs: Sequence[bool]) -> tuple[Tensor, list[Tensor | None]]:
        self.loop("backward")
        for stage in reversed(self.schedule.stages):
            if stage.bulk:
                for run, target, adds in self.gradient.products[stage.number]:
                    if target.kind is not Kind.D_X or needs_x:
                        self.bulk_gradient(run, target, adds)
                self.join_gradients(stage.number)
                self.bulk_stage("backward", stage.number)
        return self.learned_gradient(), self.weight_gradients(needs)

    def join_gradients(self, stage: int) -> None:
        """Add the gradients before each step to those after the one before it, of the states that a stage
        computes; all that adds to either has run."""
        for path in self.schedule.delayed:
            if self.schedule.output_stages[path] == stage:
                both = self.pointers[f"d_state_{path}"]
                both[1, :-1] += both[0, 1:]

    def bulk_gradient(self, run: Run, target: Leaf, adds: bool) -> None:
        """Multiply slots' gradients by matrices, into the gradient of the sequence that these read."""
        place = self.pointers[field_of(target)]
        first = self.rows if target.kind is Kind.D_NEW else 0
        whole = place.view(-1, place.shape[-1])[first : first + self.rows]
        for slot, weight, columns in self.pieces(run):
            part = whole if columns is None else whole[:, columns[0] : columns[1]]
            self.multiply(self.columns(slot, weight.shape[0]), weight, part, adds)
            adds = adds or columns is None

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors in which places lie, by the names of `field_of`."""
        known: dict[str, Tensor] = {
            "x": self.x,
            "learned": self.learned,
            "slots": self.slots,
            "moments": self.moments,
        }
        known |= {f"start_{p}": state for p, state in enumerate(self.states)}
        known |= {f"new_{p}": state for p, state in enumerate(self.new)}
        known |= {f"before_{p}": state for p, state in enumerate(self.before)}
        known |= {f"kept_{k}": value for k, value in enumerate(self.kept)}
        return known | self.pointers
