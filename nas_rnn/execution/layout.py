"""Where each learned number of a cell lies: the packing of one layer and direction into few tensors.

    weight_ih      (rows, input_size)    matrices applied to values of input size
    weight_hh      (rows, hidden_size)   matrices applied to values of hidden size
    weight_heads_k (n, H / n, size / n)  one block-diagonal matrix each
    bias           (rows,)               one piece of hidden_size for each `linear` with a bias
    vector         (count, hidden_size)  one row an owner
    diagonal_ih, diagonal_hh, norm_gain_ih, norm_gain_hh, norm_bias_ih, norm_bias_hh
                   (count, size)         one row an owner
    scalar         (count,)

A matrix takes ``hidden_size`` rows. Those that read the same value lie side by side; such groups follow
each other by the level of what they read, then in the order in which the canonical form meets them. All
else is in canonical order. Nothing depends on names or on the order of the state paths, so cells of equal
digest have equal layouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from nas_rnn.cells import Canonical, Cell, parameter_owners, parse_cell, value_sizes
from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    CellGraph,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
    ValueSize,
)
from nas_rnn.cells.graph.text import print_cell
from nas_rnn.errors import UserError


@dataclass(frozen=True, order=True)
class Place:
    """Rows ``start`` to ``stop`` of the tensor called ``tensor``."""

    tensor: str
    start: int
    stop: int


@dataclass(frozen=True)
class Matrix:
    """The matrix by which node ``owner`` multiplies its argument number ``argument``, the node ``source``."""

    owner: int
    argument: int
    source: int
    heads: int
    place: Place


@dataclass(frozen=True)
class Vector:
    """A bias, a diagonal, a gain, a learned number or vector of node ``owner``."""

    owner: int
    place: Place


@dataclass(frozen=True)
class Layout:
    """The packing of one layer and direction; ``shapes`` lists each tensor's name and shape.

    ``levels[i]`` counts the products between the states and node i on the longest way, -1 where no state is
    read: such values can be computed for the whole sequence at once. ``sizes`` are the nodes' sizes as the
    cell has them.
    """

    canonical: Canonical
    input_size: int
    hidden_size: int
    sizes: tuple[ValueSize, ...]
    levels: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    biases: tuple[Vector, ...]
    diagonals: tuple[Vector, ...]
    gains: tuple[Vector, ...]
    shifts: tuple[Vector, ...]
    scalars: tuple[Vector, ...]
    vectors: tuple[Vector, ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    def __hash__(self) -> int:  # cheap: layouts are looked up at every forward pass
        return hash((self.canonical.digest, self.input_size, self.hidden_size))

    def __deepcopy__(self, memo: dict[int, object]) -> Layout:
        return self

    def width(self, node: int) -> int:
        """Return how many units the value of ``node`` has."""
        return {"input": self.input_size, "hidden": self.hidden_size, "one": 1}[self.sizes[node]]

    @cached_property
    def key(self) -> str:
        """The layout as a text: both sizes, and a cell that has its canonical form. `layout_of` reads it."""
        form = self.canonical
        states = tuple(replace(path, name=f"s{number}") for number, path in enumerate(form.states))
        names = ["x", *(path.name for path in states)]
        names += [f"v{number}" for number in range(len(names), len(form.nodes))]
        nodes = [
            node if isinstance(node, Constant) else replace(node, name=name)
            for node, name in zip(form.nodes, names, strict=True)
        ]
        graph = CellGraph("cell", "", states, tuple(nodes), form.outputs)
        key = f"{self.input_size} {self.hidden_size}\n{print_cell(graph)}"
        _known[key] = self
        return key

    @cached_property
    def state_sizes(self) -> tuple[int, ...]:
        """The number of units of each state path."""
        return tuple(self.width(1 + path) for path in range(len(self.canonical.states)))

    @cached_property
    def recurrent_rows(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """Of each tensor that has recurrent matrices, which are those that states pass through: their rows."""
        found: dict[str, list[tuple[int, int]]] = {}
        for matrix in self.matrices:
            if self.levels[matrix.source] >= 0:
                found.setdefault(matrix.place.tensor, []).append((matrix.place.start, matrix.place.stop))
        return {name: tuple(sorted(spans)) for name, spans in sorted(found.items())}

    @cached_property
    def antisymmetric(self) -> tuple[Place, ...]:
        """The learned matrices A that stand for A - Aᵀ."""
        nodes = self.canonical.nodes
        return tuple(m.place for m in self.matrices if isinstance(nodes[m.owner], Antisymmetric))

    @cached_property
    def parameters(self) -> int:
        """How many learned numbers there are."""
        return sum(math.prod(shape) for _, shape in self.shapes)


_known: dict[str, Layout] = {}
"""The layouts whose keys were asked for in this process."""


def layout_of(key: str) -> Layout:
    """Return the layout with this `Layout.key`; `UserError` where it is none, as in a program changed by hand."""
    found = _known.get(key)
    if found is None:
        sizes, _, text = key.partition("\n")
        try:
            input_size, hidden_size = map(int, sizes.split())
        except ValueError:
            raise UserError(f"a layout's text begins with two sizes, not with {sizes[:40]!r}") from None
        found = _known[key] = make_layout(parse_cell(text).canonical(), input_size, hidden_size)
    return found


@lru_cache(maxsize=4096)
def make_layout(canonical: Canonical, input_size: int, hidden_size: int) -> Layout:
    """Return the packing of ``canonical``; `UserError` where a `linear`'s heads do not divide the sizes."""
    builder = _Builder(canonical, input_size, hidden_size)
    matrices = builder.matrices()
    return Layout(
        canonical=canonical,
        input_size=input_size,
        hidden_size=hidden_size,
        sizes=builder.sizes,
        levels=builder.levels(),
        matrices=matrices,
        biases=builder.biases(),
        diagonals=builder.rows("diagonal", Diagonal),
        gains=builder.rows("norm_gain", LayerNorm),
        shifts=builder.rows("norm_bias", LayerNorm),
        scalars=builder.scalars(),
        vectors=builder.vectors(),
        shapes=tuple(builder.shapes.items()),
    )


def layer_layouts(
    cell: Cell, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False
) -> tuple[Layout, ...]:
    """Return one layout a layer; both directions of a layer share it.

    Raises `UserError` where the layers' states do not fit into one tensor, or heads do not divide the sizes.
    """
    layouts = [make_layout(cell.canonical(), input_size, hidden_size)]
    if num_layers > 1:
        out = layouts[0].width(cell.canonical().outputs[0]) * (1 + bidirectional)
        layouts += [make_layout(cell.canonical(), out, hidden_size)] * (num_layers - 1)
        if cell.states[0].size == "input" and bidirectional:
            raise UserError(
                f"the output of the cell {cell.name!r} has the size of its input, which doubles with "
                "each bidirectional layer; use num_layers=1 or bidirectional=False"
            )
        for path, first, later in zip(
            cell.states, layouts[0].state_sizes, layouts[1].state_sizes, strict=True
        ):
            if first != later:
                raise UserError(
                    f"the state path {path.name!r} of the cell {cell.name!r} is as wide as the input: "
                    f"{first} in the first layer and {later} in the next, which do not fit into one tensor; "
                    f"use num_layers=1 or input_size={later}"
                )
    return tuple(layouts)


def parameter_count(
    cell: Cell, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False
) -> int:
    """Return how many learned numbers ``RNN`` has for these arguments, without building it."""
    layouts = layer_layouts(cell, input_size, hidden_size, num_layers, bidirectional)
    return (1 + bidirectional) * sum(layout.parameters for layout in layouts)


class _Builder:
    """Lays the parameters of one cell out, tensor by tensor, and collects the tensors' shapes."""

    def __init__(self, canonical: Canonical, input_size: int, hidden_size: int) -> None:
        self.canonical = canonical
        self.nodes: Sequence[Node] = canonical.nodes
        self.input_size, self.hidden_size = input_size, hidden_size
        sizes = value_sizes(canonical.states, canonical.nodes)
        self.sizes: tuple[ValueSize, ...] = tuple(size for size in sizes if size is not None)
        assert len(self.sizes) == len(self.nodes), "a verified cell has a size for every value"
        self.owners = parameter_owners(canonical)
        self.shapes: dict[str, tuple[int, ...]] = {}

    def units(self, node: int) -> int:
        return self.input_size if self.sizes[node] == "input" else self.hidden_size

    def projects(self, node: Project) -> bool:
        """Whether the projection needs a matrix: only where the sizes differ."""
        return self.units(node.argument) != self.hidden_size

    def levels(self) -> tuple[int, ...]:
        levels: list[int] = []
        for node in self.nodes:
            level = 0 if isinstance(node, State) else max((levels[i] for i in node.inputs), default=-1)
            product = isinstance(node, Linear) or (isinstance(node, Project) and self.projects(node))
            levels.append(level + 1 if product and level >= 0 else level)
        return tuple(levels)

    def matrices(self) -> tuple[Matrix, ...]:
        """Return all matrices in canonical order, each with its place."""
        wanted = [(o, k, source) for o in self.owners for k, source in enumerate(self.nodes[o].inputs)]
        wanted = [(o, k, source) for o, k, source in wanted if self.is_product(self.nodes[o])]
        levels = self.levels()
        first = {source: place for place, (_, _, source) in reversed(list(enumerate(wanted)))}
        grouped = sorted(wanted, key=lambda matrix: (levels[matrix[2]], first[matrix[2]]))
        placed = {(o, k): self.place_matrix(o, source) for o, k, source in grouped}
        return tuple(
            Matrix(o, k, source, getattr(self.nodes[o], "heads", 1), placed[o, k]) for o, k, source in wanted
        )

    def is_product(self, node: Node) -> bool:
        return isinstance(node, Linear) or (isinstance(node, Project) and self.projects(node))

    def place_matrix(self, owner: int, source: int) -> Place:
        node = self.nodes[owner]
        if isinstance(node, Linear) and node.heads > 1:
            return self.place_heads(node.heads, source)
        side = "ih" if self.sizes[source] == "input" else "hh"
        return self.append(f"weight_{side}", self.hidden_size, (self.units(source),))

    def place_heads(self, heads: int, source: int) -> Place:
        for name, size in (
            ("hidden_size", self.hidden_size),
            (f"{self.sizes[source]}_size", self.units(source)),
        ):
            if size % heads:
                near = sorted({size // heads * heads or heads, -(-size // heads) * heads})
                raise UserError(
                    f"linear(..., heads={heads}) cuts its matrices into {heads} blocks, so {name} must be a "
                    f"multiple of {heads}, not {size}; {' or '.join(map(str, near))} would work"
                )
        number = sum(name.startswith("weight_heads_") for name in self.shapes)
        shape = (self.hidden_size // heads, self.units(source) // heads)
        return self.append(f"weight_heads_{number}", heads, shape)

    def biases(self) -> tuple[Vector, ...]:
        biased = [
            o for o in self.owners if isinstance(node := self.nodes[o], Linear) and node.bias is not None
        ]
        return tuple(Vector(o, self.append("bias", self.hidden_size, ())) for o in biased)

    def scalars(self) -> tuple[Vector, ...]:
        learned = [o for o in self.owners if isinstance(self.nodes[o], Scalar)]
        return tuple(Vector(o, self.append("scalar", 1, ())) for o in learned)

    def vectors(self) -> tuple[Vector, ...]:
        learned = [o for o in self.owners if isinstance(self.nodes[o], LearnedVector)]
        return tuple(Vector(o, self.append("vector", 1, (self.hidden_size,))) for o in learned)

    def rows(self, name: str, kind: type[Diagonal] | type[LayerNorm]) -> tuple[Vector, ...]:
        found = []
        for o in self.owners:
            if isinstance(self.nodes[o], kind):
                side = "ih" if self.sizes[o] == "input" else "hh"
                found.append(Vector(o, self.append(f"{name}_{side}", 1, (self.units(o),))))
        return tuple(found)

    def append(self, tensor: str, rows: int, rest: tuple[int, ...]) -> Place:
        start = self.shapes.get(tensor, (0,))[0]
        self.shapes[tensor] = (start + rows, *rest)
        return Place(tensor, start, start + rows)
