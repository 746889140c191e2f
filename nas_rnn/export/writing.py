"""The formats, and the files that each gives."""

from __future__ import annotations

import re
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.export.folder import folder_files
from nas_rnn.export.onnx_file import onnx_bytes, require_libraries
from nas_rnn.export.python_file import python_files
from nas_rnn.export.trained import ExportBundle

FORMATS = ("torch", "python", "onnx")
_ENDINGS = {"torch": "", "python": ".py", "onnx": ".onnx"}


def output_path(name: str, format: str, output: Path | None) -> Path:
    """Return where ``name`` goes in ``format``: ``output``, or a place named after it in the current folder.

    Raises:
        UserError: where something lies there, the ending is another format's, or a library is missing.
    """
    ending = _ENDINGS[format]
    stem = re.sub(r"\W", "_", name)
    path = output or Path(f"{name}-model" if format == "torch" else f"{stem}{ending}")
    if ending and path.suffix != ending:
        raise UserError(
            f"--format {format} writes a {ending} file; --output {str(path)!r} does not end in {ending}"
        )
    if format == "python" and not path.stem.isidentifier():
        raise UserError(
            f"--format python writes a module, whose name Python must be able to import; {path.stem!r} is no "
            f"name in Python, {re.sub(r'^(?=[0-9])|[^0-9a-zA-Z_]', '_', path.stem)!r} would work"
        )
    for taken in (path, *([path.with_suffix(".pt")] if format == "python" else [])):
        if taken.exists():
            raise UserError(f"{str(taken)!r} is there already; remove it, or give another --output")
    if format == "onnx":
        require_libraries()
    return path


def export_files(trained: ExportBundle, format: str, path: Path) -> dict[Path, bytes]:
    """Return the content of every file that ``trained`` is in ``format`` at ``path``; raises as the formats do."""
    if format == "torch":
        return {path / name: content for name, content in folder_files(trained).items()}
    if format == "python":
        return {path.with_name(name): content for name, content in python_files(trained, path.stem).items()}
    return {path: onnx_bytes(trained)}
