"""Operations that travel with a model: what they compute, and not how a plugin writes them."""

from __future__ import annotations

from typing import Any

from nas_rnn.cells import Cell, Operation, operations
from nas_rnn.cells.graph import Apply
from nas_rnn.cells.operations import BUILT_IN
from nas_rnn.errors import UserError, suggest
from nas_rnn.outside import LINES, check_text

FIELDS = ("name", "value", "derivative", "commutative")
LEFT_OUT = ("latex", "plain")
"""What older files hold too. A template is text that is written as it is, so it is taken from plugins alone."""


def added_operations(cell: Cell) -> list[dict[str, Any]]:
    """Return the rows of those operations of ``cell`` that do not come with nas_rnn."""
    used = {node.operation for node in cell.nodes if isinstance(node, Apply)} - BUILT_IN
    return [{name: getattr(operations()[row], name) for name in FIELDS} for row in sorted(used)]


def read_operation(row: Any, where: str) -> Operation:
    """Return the operation of a row, of which ``where`` says the file and the field.

    Raises:
        UserError: unless every field is there, of its type, and an expression or a name.
    """
    if not isinstance(row, dict):
        raise UserError(f"{where} must be an object of {', '.join(FIELDS)}, not {row!r:.80}")
    for key in row:
        if key not in (*FIELDS, *LEFT_OUT):
            raise UserError(f"{where} has the field {key!r}{suggest(key, FIELDS)}")
    derivative, commutative = row.get("derivative"), row.get("commutative", False)
    if not isinstance(derivative, list):
        raise UserError(f"{where}.derivative must be a list of expressions, not {derivative!r:.80}")
    if not isinstance(commutative, bool):
        raise UserError(f"{where}.commutative must be true or false, not {commutative!r:.80}")
    return Operation(
        name=check_text(row.get("name"), f"{where}.name"),
        value=check_text(row.get("value"), f"{where}.value", LINES),
        derivative=tuple(check_text(text, f"{where}.derivative", LINES) for text in derivative),
        commutative=commutative,
        stored=True,
    )
