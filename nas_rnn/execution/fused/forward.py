"""The row code of each stage, forwards; and the values of a stage's nodes, which its gradient needs too."""

from __future__ import annotations

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph import Apply, Constant, Diagonal, Input, LayerNorm, State
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.fused.rowcode import RowCode
from nas_rnn.execution.fused.schedule import Schedule, Stage, is_costly
from nas_rnn.execution.reference import EPSILON

STRIDE = 50
"""Of so many nodes or statements in a row one is computed beforehand, so that a long chain is no deep recursion."""


class StageValues:
    """The values of nodes within one stage, as statements of ``code``.

    Forwards a stage computes its own nodes; backwards it loads those that are stored and costly. Nodes of
    other stages are loaded, or computed again where the schedule does not store them.
    """

    def __init__(self, schedule: Schedule, number: int, code: RowCode, backwards: bool) -> None:
        self.schedule, self.number, self.code, self.backwards = schedule, number, code, backwards
        self.layout = schedule.layout
        self.nodes = self.layout.canonical.nodes
        self.slot_of = {owner: slot for slot, owner in enumerate(schedule.slots)}
        self.known: dict[int, int] = {}
        self.norms: dict[int, tuple[int, int]] = {}
        """Each layer norm's mean and 1 / deviation."""

    def __getitem__(self, node: int) -> int:
        node = self.schedule.same_as[node]
        if node not in self.known:
            self.known[node] = self._load(node) if self._is_loaded(node) else self._compute(node)
        return self.known[node]

    def begin(self, stage: Stage) -> None:
        """Compute some of the stage's nodes in their order; what then needs them finds them known."""
        for node in stage.nodes[STRIDE - 1 :: STRIDE]:
            _ = self[node]

    def inputs(self, node: int) -> list[int]:
        """Return what the elementwise code of ``node`` reads."""
        return [self.schedule.same_as[i] for i in self.nodes[node].inputs]

    def is_given(self, node: int) -> bool:
        """Whether ``node`` is no value of a stage: the input, a state, or of learned numbers alone."""
        return node in self.schedule.fixed or isinstance(self.nodes[node], Input | State | Constant)

    def _is_loaded(self, node: int) -> bool:
        if self.is_given(node):
            return True
        if node not in self.schedule.stored:
            return False
        if self.schedule.stage_of[node] != self.number:
            return True
        found = self.nodes[node]
        lost = self.schedule.stored[node].kind is Kind.SLOT  # it took the place of what it was computed from
        return self.backwards and (lost or (isinstance(found, Apply) and is_costly(found)))

    def _load(self, node: int) -> int:
        found, code = self.nodes[node], self.code
        match found:
            case Constant(value=value):
                return code.number(value)
            case _ if node in self.schedule.fixed:
                return code.load(self.learned("value", node))
            case Input():
                return code.load(Leaf(Kind.X, 0, self.schedule.sizes[0]))
            case State(path=path):
                return code.load(Leaf(Kind.PREVIOUS, path, self.schedule.sizes[node]))
        return code.load(self.schedule.stored[node])

    def learned(self, what: str, node: int) -> Leaf:
        """Return the place of a row or number of the schedule."""
        if (what, node) in self.schedule.numbers:
            return Leaf(Kind.NUMBER, self.schedule.numbers.index((what, node)), "one")
        size = self.schedule.sizes[node]
        return Leaf(Kind.ROW, self.schedule.rows.index((what, node)), size)

    def _compute(self, node: int) -> int:
        found, code = self.nodes[node], self.code
        if node in self.slot_of:
            total = code.load(Leaf(Kind.SLOT, self.slot_of[node]))
            biased = ("bias", node) in self.schedule.rows
            return code.call("+", total, code.load(self.learned("bias", node))) if biased else total
        match found:
            case Diagonal(argument=argument):
                return code.call("*", code.load(self.learned("diagonal", node)), self[argument])
            case LayerNorm():
                return self._norm(node)
            case Apply(operation=name, arguments=arguments):
                return code.operation(find_operation(name), [self[i] for i in arguments])
        raise AssertionError(f"no elementwise code for {found}")

    # Layer norm

    def count(self, node: int) -> int:
        """Return, as a statement, how many units the values that ``node`` normalises have together."""
        sizes = [self.schedule.sizes[i] for i in self.inputs(node)]
        return self.code.units(sizes.count("hidden"), sizes.count("input"))

    def moments(self, node: int) -> tuple[Leaf, Leaf]:
        """Return the places of the mean and of 1 / deviation of a layer norm."""
        first = 2 * self.schedule.norms.index(node)
        return Leaf(Kind.MOMENT, first, "one"), Leaf(Kind.MOMENT, first + 1, "one")

    def _norm(self, node: int) -> int:
        code = self.code
        mean, scale = self._load_moments(node) if self.backwards else self._compute_moments(node)
        self.norms[node] = mean, scale
        centred = code.call("-", self[self.inputs(node)[0]], mean)
        gain, shift = (code.load(self.learned(what, node)) for what in ("gain", "shift"))
        return code.call("+", code.call("*", code.call("*", centred, scale), gain), shift)

    def _load_moments(self, node: int) -> tuple[int, int]:
        mean, scale = (self.code.load(leaf, "row") for leaf in self.moments(node))
        return mean, scale

    def _compute_moments(self, node: int) -> tuple[int, int]:
        code, count = self.code, self.count(node)
        values = [self[i] for i in self.inputs(node)]
        mean = code.call("/", code.total([self.over_units(node, k, v) for k, v in enumerate(values)]), count)
        centred = [code.call("-", value, mean) for value in values]
        squares = [self.over_units(node, k, code.call("*", c, c)) for k, c in enumerate(centred)]
        variance = code.call("/", code.total(squares), count)
        root = code.call("sqrt", code.call("+", variance, code.number(EPSILON)))
        scale = code.call("/", code.number(1.0), root)
        for leaf, value in zip(self.moments(node), (mean, scale), strict=True):
            code.store(leaf, value)
        return mean, scale

    def over_units(self, node: int, argument: int, value: int) -> int:
        """Return the sum over the units of ``value``, which belongs to an argument of a layer norm."""
        width = self.code.statements[value].width
        if width in ("input", "hidden"):
            return self.code.sum(value)
        size = self.schedule.sizes[self.inputs(node)[argument]]
        return self.code.call("*", value, self.code.units(size == "hidden", size == "input"))


def forward_code(schedule: Schedule, stage: Stage) -> RowCode:
    """Return what a stage computes and stores."""
    code = RowCode()
    values = StageValues(schedule, stage.number, code, backwards=False)
    values.begin(stage)
    for node, leaf in schedule.stored.items():
        if schedule.stage_of[node] == stage.number:
            code.store(leaf, values[node])
    for path, output in enumerate(schedule.layout.canonical.outputs):
        node, leaf = schedule.same_as[output], Leaf(Kind.NEW, path, schedule.sizes[1 + path])
        if schedule.output_stages[path] == stage.number and schedule.stored.get(node) != leaf:
            code.store(leaf, values[node])
    return code.prune()
