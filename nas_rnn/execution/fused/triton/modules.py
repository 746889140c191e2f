"""Makes Python modules of generated kernels. Triton reads a kernel's source from its file, so they are written
to the cache folder, which is the user's alone; what lies there is used only if it is what would be written."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

from nas_rnn.execution.fused.toolchain import CompileError, cache_folder, prune

_log = logging.getLogger(__name__)


@cache
def triton_problem() -> str | None:
    """Return why kernels cannot be compiled for a GPU here, and say it once; None where they can."""
    try:
        import triton  # noqa: F401
    except Exception as error:  # a broken installation may raise anything
        _log.warning("cells on a GPU run on the slower eager backend: Triton cannot be imported (%s)", error)
        return f"Triton cannot be imported ({error}); pip install triton"
    return None


@cache
def load_module(name: str, source: str) -> ModuleType:
    """Return the module ``name`` that ``source`` is. Raises `CompileError`."""
    path = cache_folder() / f"{name}.py"
    try:
        if not path.exists() or path.read_bytes() != source.encode():
            _write(path, source)
            prune(path.parent, "k*.py")
        os.utime(path)
        spec = importlib.util.spec_from_file_location(f"nas_rnn_kernels.{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (OSError, SyntaxError, ValueError) as error:
        raise CompileError(f"the kernels {path} cannot be used: {error}") from None
    return module


def _write(path: Path, source: str) -> None:
    """Replace the file as a whole: other processes may write or read the same one."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        made = Path(folder, path.name)
        made.write_bytes(source.encode())
        made.replace(path)
