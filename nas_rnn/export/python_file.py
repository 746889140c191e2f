"""A trained model as one Python file that needs torch alone, and its weights beside it."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nas_rnn.cells.equations import plain_equations
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.export.python_cell import Step, weights, write_step
from nas_rnn.export.python_operations import comment
from nas_rnn.export.trained import Trained

TEMPLATES = Path(__file__).with_name("templates")


def python_files(trained: Trained, stem: str) -> dict[str, bytes]:
    """Return the content of ``<stem>.py`` and of ``<stem>.pt``, the state dict that it loads.

    The whole model is in them where its task gives it in plain torch (`Task.plain_model`).

    Raises:
        UserError: where ``stem`` is no name that Python can import, or what is said of the data is wrong.
    """
    if not stem.isidentifier():
        raise UserError(f"a Python file is imported by its name, and {stem!r} is no name in Python")
    step = write_step(trained.rnn.cell)
    learnt = trained.learnt
    plain = None if learnt is None else learnt.task.plain_model(learnt.meta)
    tensors = layer_weights(step, trained.rnn)
    if plain is not None and learnt is not None:
        own = {n: t for n, t in learnt.model.state_dict().items() if not n.startswith("rnn.")}
        tensors = {f"rnn.{name}": tensor for name, tensor in tensors.items()} | own
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, buffer)
    return {f"{stem}.py": _source(trained, step, plain, stem).encode(), f"{stem}.pt": buffer.getvalue()}


def layer_weights(step: Step, rnn: RNN) -> dict[str, Tensor]:
    """Return the state dict of the file's `RNN` that computes what ``rnn`` does."""
    found: dict[str, Tensor] = {}
    cells = [(layer, reverse) for layer in range(rnn.num_layers) for reverse in range(1 + rnn.bidirectional)]
    for place, (layer, reverse) in enumerate(cells):
        layout, tensors = rnn.layer(layer, bool(reverse))
        found |= {f"cells.{place}.{name}": value for name, value in weights(step, layout, tensors).items()}
    return found


def _source(trained: Trained, step: Step, plain: str | None, stem: str) -> str:
    parts = [_head(trained, step, plain, stem), *step.functions.values()]
    parts += [_template(name, {}) for name in sorted(step.helpers)]
    parts.append(_template("rnn", _fields(trained.rnn, step)))
    if plain is not None:
        parts.append(plain)
    parts.append(_loading(plain is not None, trained.rnn, stem))
    return "\n\n".join(part.rstrip("\n") + "\n" for part in parts)


def _head(trained: Trained, step: Step, plain: str | None, stem: str) -> str:
    equations = "\n".join(comment(f"    {line}") for line in plain_equations(step.cell).split("\n"))
    calls = ["rnn = load_rnn()", f"output, state = rnn(x)  # {_shape(trained.rnn)}"]
    if plain is not None:
        calls = ["model = load_model()", "outputs, state = model(inputs)"]
    imported = "load_rnn" if plain is None else "load_model"
    usage = "\n".join(f"    {line}".rstrip() for line in [f"from {stem} import {imported}", "", *calls])
    fields = {"NAME": step.cell.name, "USAGE": usage, "EQUATIONS": equations}
    return _template("head", fields)


def _shape(rnn: RNN) -> str:
    return f"x (B, T, {rnn.input_size})" if rnn.batch_first else f"x (T, B, {rnn.input_size})"


def _fields(rnn: RNN, step: Step) -> dict[str, str]:
    states = [path.name for path in step.cell.states]
    bound = ["bound = hidden_size**-0.5"] if any("bound=bound" in line for line in step.parameters) else []
    comma = "," if len(states) == 1 else ""
    sizes = ", ".join(f"{path.size}_size" for path in step.cell.states)
    starts = ", ".join(repr(float(path.init)) for path in step.cell.states)
    return {
        "STATES": f"({', '.join(states)}{comma})",
        "START": f"({starts}{comma})",
        "SIZES": f"({sizes}{comma})",
        "PARAMETERS": textwrap.indent("\n".join([*bound, *step.parameters]), " " * 8),
        "X": step.x,
        "LINES": textwrap.indent("\n".join(step.lines), " " * 8),
        "INPUT_SIZE": str(rnn.input_size),
        "HIDDEN_SIZE": str(rnn.hidden_size),
        "NUM_LAYERS": str(rnn.num_layers),
        "BATCH_FIRST": str(rnn.batch_first),
        "DROPOUT": str(rnn.dropout),
        "BIDIRECTIONAL": str(rnn.bidirectional),
    }


def _loading(whole: bool, rnn: RNN, stem: str) -> str:
    name, kind = ("load_model", "Model") if whole else ("load_rnn", "RNN")
    made = "Model(RNN())" if whole else "RNN()"
    what = "whole model" if whole else "recurrent layers"
    return textwrap.dedent(f'''\
        WEIGHTS = Path(__file__).with_suffix(".pt")


        def {name}(weights: str | Path = WEIGHTS) -> {kind}:
            """Return the {what} with the weights in ``{stem}.pt``, ready to be used."""
            made = {made}
            made.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
            return made.eval()
        ''')


def _template(name: str, fields: Mapping[str, str]) -> str:
    text = (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: fields[found[1]], text)
