"""What a picture consists of, before anything has a place: parts, and links between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PartKind = Literal["input", "state", "next", "gate", "candidate", "learned", "function", "circle", "join"]
Weight = Literal["none", "matrix", "diagonal"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that is drawn: what kind it is, what stands in it, and the nodes of the cell that it shows.

    ``gate`` and ``candidate`` are activations of learned sums, ``learned`` are others with weights;
    ``function`` and ``circle`` have none; ``join`` is where values come together that several boxes
    read alike.
    """

    kind: PartKind
    label: str
    name: str = ""
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Link:
    """An arrow from one part to another; ``mark`` stands at its head where the order of arguments matters."""

    source: int
    target: int
    weight: Weight = "none"
    mark: str = ""


@dataclass(frozen=True)
class Sketch:
    """The parts and links of a picture; ``lines`` are the links along each emphasised state path."""

    parts: tuple[Part, ...]
    links: tuple[Link, ...]
    lines: tuple[tuple[int, ...], ...]
