"""A trained model as one Python file that needs torch alone, and its weights beside it."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nas_rnn.cells.views.equations import plain_equations
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.export.plain_net import net_call, net_source
from nas_rnn.export.python_cell import Step, weights, write_step
from nas_rnn.export.python_operations import comment, within_docstring
from nas_rnn.export.trained import ExportBundle, TaskModelBundle
from nas_rnn.tasks import PlainNet

_IMPORTED = dict.fromkeys(
    (
        "from pathlib import Path",
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor, nn",
        "from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence",
    )
)
"""The lines with which every file begins."""

TEMPLATES = Path(__file__).with_name("templates")


def python_files(trained: ExportBundle, stem: str) -> dict[str, bytes]:
    """Return the content of ``<stem>.py`` and of ``<stem>.pt``, the state dict that it loads.

    The whole model is in them where its task gives it in plain torch (`Task.plain_net`).

    Raises:
        UserError: where ``stem`` is no name that Python can import, or what is said of the data is wrong.
    """
    if not stem.isidentifier():
        raise UserError(f"a Python file is imported by its name, and {stem!r} is no name in Python")
    step = write_step(trained.rnn.cell)
    bundle = trained.task_model
    plain = None if bundle is None or not bundle.has_net else bundle.task.plain_net(bundle.meta)
    tensors = layer_weights(step, trained.rnn)
    if plain is not None and bundle is not None:
        tensors = _net_weights(step, bundle)
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, buffer)
    return {f"{stem}.py": _source(trained, step, plain, stem).encode(), f"{stem}.pt": buffer.getvalue()}


def _net_weights(step: Step, bundle: TaskModelBundle) -> dict[str, Tensor]:
    """Return the state dict of the file's net: recurrent layers as the file has them, everything else as it is."""
    nets = bundle.nets()
    inside = tuple(f"{path}." for path in nets)
    found = {n: t for n, t in bundle.net.state_dict().items() if not n.startswith(inside)}
    for path, rnn in nets.items():
        found |= {f"{path}.{name}": tensor for name, tensor in layer_weights(step, rnn).items()}
    return found


def layer_weights(step: Step, rnn: RNN) -> dict[str, Tensor]:
    """Return the state dict of the file's `RNN` that computes what ``rnn`` does."""
    found: dict[str, Tensor] = {}
    cells = [(layer, reverse) for layer in range(rnn.num_layers) for reverse in range(1 + rnn.bidirectional)]
    for place, (layer, reverse) in enumerate(cells):
        layout, tensors = rnn.layer(layer, bool(reverse))
        found |= {f"cells.{place}.{name}": value for name, value in weights(step, layout, tensors).items()}
    return found


def _source(trained: ExportBundle, step: Step, plain: PlainNet | None, stem: str) -> str:
    imports, source = ([], "") if plain is None else net_source(plain)
    parts = [_head(trained, step, plain, imports, stem), *step.functions.values()]
    parts += [_template(name, {}) for name in sorted(step.helpers)]
    parts.append(_template("rnn", _fields(trained.rnn, step)))
    if plain is not None:
        parts.append(source)
    parts.append(_loading(plain, stem))
    return "\n\n".join(part.rstrip("\n") + "\n" for part in parts)


def _head(trained: ExportBundle, step: Step, plain: PlainNet | None, imports: list[str], stem: str) -> str:
    equations = "\n".join(comment(f"    {line}") for line in plain_equations(step.cell).split("\n"))
    calls = ["rnn = load_rnn()", f"output, state = rnn(x)  # {_shape(trained.rnn)}"]
    if plain is not None:
        calls = [
            "model = load_model()",
            *filter(None, plain.usage.split("\n")),
            "outputs, state = model(inputs)",
        ]
    imported = "load_rnn" if plain is None or not plain.usage else "*"
    if plain is not None and not plain.usage:
        imported = "load_model"
    lines = [f"from {stem} import {imported}", "", *calls]
    usage = "\n".join(within_docstring(f"    {line}".rstrip()) for line in lines)
    fields = {
        "IMPORTS": "\n".join(_IMPORTED | dict.fromkeys(imports)),
        "NAME": step.cell.name,
        "USAGE": usage,
        "EQUATIONS": equations,
    }
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


def _loading(plain: PlainNet | None, stem: str) -> str:
    name, kind = ("load_rnn", "RNN") if plain is None else ("load_model", plain.name)
    made = "RNN()" if plain is None else net_call(plain)
    what = "recurrent layers" if plain is None else "whole model"
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
