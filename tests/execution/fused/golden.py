"""Golden text of schedules and generated code, in the folder ``golden``.

After a change that is meant, write it anew and read the difference:

    python -m tests.execution.fused.golden
"""

from __future__ import annotations

from pathlib import Path

from nas_rnn.cells import parse_cell
from nas_rnn.execution.fused.explain import explain_schedule
from nas_rnn.execution.fused.kernels import printed
from nas_rnn.execution.layout import make_layout
from tests.execution.zoo import zoo_cells

FOLDER = Path(__file__).parent / "golden"
SCHEDULES = ("lstm", "gru", "darts_v2", "qrnn", "mingru")
SOURCES = {name: zoo_cells()[name] for name in ("rnn", "gru")}
SOURCES["norm"] = parse_cell(
    "@cell\ndef norm(x, h):\n    return tanh(layer_norm(linear(x, h)) * scalar(0.5))\n"
)


def texts() -> dict[str, str]:
    """Return the name of each file and what it should hold."""
    zoo = zoo_cells()
    found = {f"{name}.schedule.txt": explain_schedule(zoo[name], 4, 6) + "\n" for name in SCHEDULES}
    for name, tested in SOURCES.items():
        code = printed(make_layout(tested.canonical(), 4, 6))[2]
        found[f"{name}.cpp"] = code.source.replace(code.prefix, name)
    return found


if __name__ == "__main__":
    for file in FOLDER.iterdir():
        file.unlink()
    for file, text in texts().items():
        (FOLDER / file).write_text(text)
