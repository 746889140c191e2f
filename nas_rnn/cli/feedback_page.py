"""Feedback on a proposed cell, as people read it: what came of it first, then the sentences."""

from __future__ import annotations

from rich.text import Text

from nas_rnn.cli.output import console
from nas_rnn.cli.phrases import one_line
from nas_rnn.experiment.feedback import Feedback

_COLOURS = {"better": "green", "worse": "red", "behind": "red", "equivalent": "yellow", "undecided": "yellow"}
_HEADS = {
    "unparsable": "not readable",
    "refused": "cannot be trained",
    "failed": "failed",
    "unfinished": "not decided yet",
}


def print_feedback(feedback: Feedback) -> None:
    """Print one cell's feedback; nothing in it is taken for markup."""
    target = console()
    word = _HEADS.get(feedback.status) or feedback.verdict or feedback.status
    name = feedback.name or feedback.source
    where = f" ({one_line(feedback.source)})" if feedback.source not in ("", name) else ""
    again = ", evaluated before" if feedback.known else ""
    target.print(
        Text.assemble((one_line(name), "bold"), f"{where}: ", (word, _COLOURS.get(word, "")), again),
        soft_wrap=True,
    )
    for sentence in feedback.words:
        target.print(Text(f"  {one_line(sentence)}"), soft_wrap=True)
