"""The shares of data that validate and test: options, which have no effect where the data have parts of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas_rnn.tasks.data import PARTS, Part
from nas_rnn.tasks.notices import SAID
from nas_rnn.tasks.options import are_set, refuse_idle


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Options ``valid`` and ``test`` of ``task``; those that are ``given`` are not as they are by default."""

    valid: float
    test: float
    task: str
    given: tuple[str, ...]

    @classmethod
    def of(cls, options: Any, task: str) -> Shares:
        """Return those of a task's options."""
        given = tuple(are_set(options, PARTS[1:]))
        return cls(valid=float(options.valid), test=float(options.test), task=task, given=given)

    def require_used(self, told: Mapping[Part, str]) -> None:
        """Raise UserError for a share that is given of a part that is told, of which none is cut then.

        ``told`` has what tells each part: a file or folder, the data's name, or another option.
        """
        refuse_idle(
            self.task,
            [
                f"{part}={getattr(self, part):g} has no effect, since the {SAID[part]} part is told by {told[part]}"
                for part in PARTS[1:]
                if part in told and part in self.given
            ],
        )
