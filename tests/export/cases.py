"""Layers with moved parameters, and what a process without nas_rnn makes of exported Python files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.export import ExportBundle, TaskModelBundle, example_inputs, export_files
from nas_rnn.export.plain_net import net_call, net_source
from nas_rnn.plugins import load_cell
from nas_rnn.tasks import PlainNet, Task
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.model import build_model, recurrent_nets

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_NAS_RNN = f"""
import sys
sys.path[:] = [place for place in sys.path if place not in ("", {str(ROOT)!r})]
sys.modules["nas_rnn"] = None  # whatever would find it, importing it fails
try:
    import nas_rnn
except ImportError:
    pass
else:
    raise AssertionError("this process is to do without nas_rnn")
"""


def moved(cell: Cell, input_size: int = 4, hidden_size: int = 8, **options: object) -> RNN:
    """Return layers whose parameters are away from where they start, so that biases and gains count."""
    torch.manual_seed(0)
    rnn = RNN(cell, input_size, hidden_size, backend="reference", **options)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return rnn.eval()


def alone(program: str, folder: Path) -> str:
    """Run ``program`` in ``folder`` in a process that cannot import nas_rnn; return what it prints."""
    code = f"{WITHOUT_NAS_RNN}\nsys.path.insert(0, {str(folder)!r})\n{program}"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nas_rnn" not in done.stderr
    return done.stdout


COMPARE = """
import importlib, pathlib, sys
import torch
from safetensors.torch import load_file  # only to read what is expected

torch.set_num_threads(1)
for path in sorted(pathlib.Path().glob("*.expected")):
    expected = load_file(path)
    module = importlib.import_module(path.stem)
    dtype = expected["x"].dtype
    made = module.RNN().to(dtype)
    made.load_state_dict(torch.load(path.stem + ".pt", weights_only=True))
    output, state = made(expected["x"])
    found = {"output": output, **{f"state{number}": value for number, value in enumerate(state)}}
    assert sorted([*found, "x"]) == sorted(expected), path.stem
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True,
                                   msg=lambda text: f"{path.stem} {name}: {text}")
    print(path.stem)
"""


def write_case(folder: Path, name: str, rnn: RNN) -> bool:
    """Write ``name``.py, its weights, and what it is to compute; return False where that is not finite."""
    dtype = next((parameter.dtype for parameter in rnn.parameters()), torch.get_default_dtype())
    x = torch.randn(5, 3, rnn.input_size, dtype=dtype)
    with torch.no_grad():
        output, state = rnn(x)
    expected: dict[str, Tensor] = {"x": x, "output": output.contiguous()}
    expected |= {f"state{number}": value.contiguous() for number, value in enumerate(state)}
    if not all(tensor.isfinite().all() for tensor in expected.values()):
        return False  # one that overflows may do so at another place when sums are ordered otherwise
    for path, content in export_files(
        ExportBundle(name=name, rnn=rnn), "python", folder / f"{name}.py"
    ).items():
        path.write_bytes(content)
    (folder / f"{name}.expected").write_bytes(safetensors.torch.save(expected))
    return True


def check_cases(folder: Path, cases: Mapping[str, RNN], tolerance: float) -> int:
    """Have a process without nas_rnn compute all ``cases``; return how many it did."""
    written = [name for name, rnn in cases.items() if write_case(folder, name, rnn)]
    printed = alone(COMPARE.replace("TOLERANCE", repr(tolerance)), folder)
    assert printed.split() == sorted(written)
    return len(written)


def trained_on(task: Task, layers: int = 1) -> ExportBundle:
    """Return an untrained model of the task's embedded data, as a search would have trained it."""
    data = task.load(None)
    spec = RunSpec(
        id="1",
        role="final",
        name="lstm",
        cell=load_cell("lstm").to_text(),
        hidden_size=6,
        task=task.name,
        task_options=asdict(task.options),
        training=TrainingOptions(layers=layers, dropout=0.3),
        seed=1,
        data_seed=0,
    )
    model = build_model(spec, task, data.meta).eval()
    example = example_inputs(task, data)
    return ExportBundle(
        name="mine",
        rnn=next(iter(recurrent_nets(model).values())),
        task_model=TaskModelBundle(task=task, model=model, spec=spec, meta=data.meta, example=example),
    )


def plain_copy(
    net: nn.Module, plain: PlainNet, make_rnn: Callable[..., nn.Module]
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the net that the exported source of ``net`` makes, with its weights, and the names of that source."""
    imports, source = net_source(plain)
    namespace: dict[str, Any] = {"RNN": make_rnn}
    exec("\n".join(["from __future__ import annotations", *imports, source]), namespace)
    copy: nn.Module = eval(net_call(plain), namespace).eval()
    copy.load_state_dict(net.state_dict())
    return copy, namespace


LOAD_AND_COMPARE = """
import torch
from mine import load_model
from safetensors.torch import load_file  # only to read what is expected

case = load_file("case.expected")
with torch.no_grad():
    outputs, state = load_model()(case["inputs"])
torch.testing.assert_close(outputs, case["outputs"], rtol=1e-6, atol=1e-6)
print(len(state))
"""


def write_whole(whole: ExportBundle, folder: Path) -> None:
    """Write a whole model as ``mine.py``, its weights, and what it is to compute of its example."""
    for path, content in export_files(whole, "python", folder / "mine.py").items():
        path.write_bytes(content)
    bundle = whole.task_model
    assert bundle is not None and bundle.example is not None
    with torch.no_grad():
        outputs, _ = bundle.model(bundle.example, None)
    case = {"inputs": bundle.example.contiguous(), "outputs": outputs.contiguous()}
    (folder / "case.expected").write_bytes(safetensors.torch.save(case))
