"""Recipes of NAS-Bench-NLP (Klyuchnikov et al. 2020, arXiv:2006.07116) to cells and back.

A recipe is plain JSON, ``{node: {"op": ..., "input": [...]}}``. It reads ``x`` and the previous states ``h_prev_0``,
``h_prev_1``, ...; the nodes ``h_new_0``, ... are the next states, the first of them also the layer's output. Sizes are
as in the benchmark's own trainer: ``linear`` has one matrix for each input and always a bias, ``x`` has the layer's
input size and everything else its hidden size. Where ``x`` stands anywhere but in ``linear``, that trainer works only
for equal sizes; here it is brought to the hidden size by one `project`, which costs nothing where the sizes are equal.
"""

from __future__ import annotations

import difflib
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from nas_rnn.cells import Cell, StatePath
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import Apply, Input, Linear, Node, Project, State
from nas_rnn.errors import UserError, suggest
from nas_rnn.outside import check_plain, json_of, reason_of

Recipe = dict[str, dict[str, Any]]

MOST_BYTES = 1 << 28
"""Of a file of recipes, unpacked; 1,700 cells of a benchmark take one million."""

WORDS = {
    "elementwise_prod": "mul",
    "elementwise_sum": "add",
    "blend": "blend",
    "activation_tanh": "tanh",
    "activation_sigm": "sigmoid",
    "activation_leaky_relu": "leaky_relu",
}
"""The operations of recipes, except ``linear``, and those of cells."""

_STATE = re.compile(r"h_(prev|new)_(\d+)")
_KEYS = ("recipe", "recepie")  # the second as the benchmark's own files spell it


@dataclass(frozen=True, kw_only=True)
class StoredRecipe:
    """One line of a file of recipes; ``details`` is what else stands there (results, counts)."""

    name: str
    recipe: Recipe
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """The recipe's cell; `UserError` where the recipe breaks a rule."""
        return cell_from_recipe(self.recipe, self.name)


def cell_from_recipe(recipe: Mapping[str, Any], name: str = "recipe") -> Cell:
    """Return the cell of ``recipe``, called ``name``; `UserError` naming every rule that the recipe breaks."""
    problems = list(recipe_problems(recipe))
    if problems:
        raise UserError("\n".join([f"the recipe {name!r} breaks {len(problems)} rule(s):", *problems]))
    count = sum(bool(_STATE.fullmatch(node)) for node in recipe)
    paths = [StatePath(f"h_{number}") for number in range(count)]
    nodes: list[Node] = [Input(name="x"), *(State(name=path.name, path=p) for p, path in enumerate(paths))]
    place = {"x": 0} | {f"h_prev_{number}": number + 1 for number in range(count)}
    projected = _projects(recipe)
    if projected:
        nodes.append(Project(argument=0))
    for key in _order(recipe):
        operation = recipe[key]["op"]
        arguments = [place[read] for read in recipe[key]["input"]]
        if operation == "linear":
            nodes.append(Linear(arguments=tuple(arguments)))
        else:
            _put(nodes, WORDS[operation], [count + 1 if projected and i == 0 else i for i in arguments])
        place[key] = len(nodes) - 1
    return make_cell(name, "", paths, nodes, [place[f"h_new_{number}"] for number in range(count)])


def _projects(recipe: Mapping[str, Any]) -> bool:
    return any("x" in node["input"] for node in recipe.values() if node["op"] != "linear")


def _put(nodes: list[Node], word: str, arguments: list[int]) -> None:
    """Append the operation; a sum or a product of more than two values as a chain."""
    while word in ("add", "mul") and len(arguments) > 2:
        nodes.append(Apply(operation=word, arguments=(arguments[0], arguments[1])))
        arguments = [len(nodes) - 1, *arguments[2:]]
    nodes.append(Apply(operation=word, arguments=tuple(arguments)))


def _order(recipe: Mapping[str, Any]) -> list[str]:
    """Return the nodes so that each follows what it reads; raises `CycleError`."""
    order = TopologicalSorter({key: node["input"] for key, node in recipe.items()}).static_order()
    return [key for key in order if key in recipe]


def recipe_problems(recipe: Any) -> Iterator[str]:
    """Yield one line for each rule that ``recipe`` breaks."""
    if not isinstance(recipe, Mapping) or not recipe:
        yield f'  a recipe is {{node: {{"op": ..., "input": [...]}}}} with at least one node, not {recipe!r:.80}'
        return
    malformed = [key for key, node in recipe.items() if not _is_node(key, node)]
    for key in malformed:
        yield f'  {key!r}: a node is {{"op": text, "input": [text, ...]}}, not {recipe[key]!r:.80}'
    if malformed:
        return
    states = sorted(int(match[2]) for key in recipe if (match := _STATE.fullmatch(key)) and match[1] == "new")
    if states != list(range(len(states))) or not states:
        yield f"  the next states are h_new_0, h_new_1, ... without a gap, not {[f'h_new_{n}' for n in states]}"
    known = {"x", *recipe, *(f"h_prev_{number}" for number in states)}
    for key, node in recipe.items():
        if (
            key == "x"
            or key.startswith("h_prev_")
            or (_STATE.fullmatch(key) and str(int(key[6:])) != key[6:])
        ):
            yield f"  {key!r}: this name is kept for an input or a state, so it cannot name a node"
        yield from _node_problems(key, node, known)
    try:
        _order(recipe)
    except CycleError as error:
        yield f"  nodes read each other in a circle: {' <- '.join(error.args[1])}"


def _is_node(key: Any, node: Any) -> bool:
    return (
        isinstance(key, str)
        and isinstance(node, Mapping)
        and isinstance(node.get("op"), str)
        and isinstance(node.get("input"), list | tuple)
        and all(isinstance(read, str) for read in node["input"])
    )


def _node_problems(key: str, node: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    operation, reads = node["op"], node["input"]
    if operation not in WORDS and operation != "linear":
        yield f"  {key}: unknown operation {operation!r}{suggest(operation, [*WORDS, 'linear'])}"
        return
    least = {"linear": 1, "blend": 3}.get(operation, 1 if operation.startswith("activation") else 2)
    most = least if operation == "blend" or operation.startswith("activation") else len(reads)
    if not least <= len(reads) <= most:
        yield f"  {key}: {operation} reads {least}{'' if most == least else ' or more'} value(s), not {len(reads)}"
    for read in reads:
        if read not in known:
            yield f"  {key}: unknown value {read!r}{suggest(read, known)}"


def load_recipes(path: str | Path) -> list[StoredRecipe]:
    """Return the recipes of a ``.jsonl`` or ``.jsonl.gz`` file: a line is a recipe, or an object with a ``recipe``.

    A ``.json`` or ``.json.gz`` file holds one, over as many lines as it likes. A recipe is named after the object's
    ``name`` or ``dag``, else after its line. Raises `UserError` naming the line.
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(
                f"the recipes in {str(path)!r} are more than {MOST_BYTES:,} bytes; divide them into several files"
            )
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise UserError(
            f"there is no file {str(path)!r}; give a .json, .jsonl or .jsonl.gz file of recipes"
        ) from None
    except (OSError, EOFError, ValueError, zlib.error) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"cannot read the recipes in {str(path)!r}: {reason_of(error)}") from None
    stored: list[StoredRecipe] = []
    single = path.name.removesuffix(".gz").endswith(".json")
    for number, line in enumerate([text] if single else text.split("\n"), start=1):
        if line.strip():
            try:
                stored.append(_stored(json_of(line), number))
            except (ValueError, UserError) as error:
                raise UserError(f"{path}, line {number}: {error}") from None
    return stored


def names_recipe(text: str) -> bool:
    """Return whether `load_recipe` is what reads ``text``: by the ending of its file's name."""
    return re.search(r"\.jsonl?(\.gz)?(#[^/]*)?$", text) is not None


def load_recipe(text: str | Path) -> StoredRecipe:
    """Return the recipe of ``recipe.json``, or the one called ``NAME`` of ``recipes.jsonl.gz#NAME``.

    Raises `UserError` where the file cannot be read, has no recipe of that name, or several and none is named.
    """
    path, _, name = str(text).partition("#")
    stored = {recipe.name: recipe for recipe in load_recipes(path)}
    if name:
        if name not in stored:
            near = ", ".join(difflib.get_close_matches(name, stored, n=3, cutoff=0.0))
            raise UserError(f"{path} has no recipe {name!r}; the nearest names are {near or 'none'}")
        return stored[name]
    if len(stored) != 1:
        first = next(iter(stored), "recipe_1")
        raise UserError(f"{path} holds {len(stored):,} recipes; name one, such as {path}#{first}")
    return next(iter(stored.values()))


def _stored(row: Any, number: int) -> StoredRecipe:
    if not isinstance(row, dict):
        raise UserError(f"a line is a JSON object, not {row!r:.80}")
    key = next((key for key in _KEYS if key in row and not _is_node(key, row[key])), None)
    details = {} if key is None else {other: value for other, value in row.items() if other != key}
    recipe = row if key is None else row[key]
    if isinstance(recipe, str):
        recipe = json_of(recipe)
    check_plain(recipe, "recipe:")
    problems = list(recipe_problems(recipe))
    if problems:
        raise UserError("\n".join(["the recipe breaks rules:", *problems]))
    told = re.sub(r"\W", "_", str(details.get("name") or details.get("dag") or number), flags=re.ASCII)
    name = told if "name" in details and told.isidentifier() else f"recipe_{told}"
    return StoredRecipe(name=name, recipe=recipe, details=details)
