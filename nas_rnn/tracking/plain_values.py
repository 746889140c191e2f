"""Values in the form in which MLflow takes them: names of allowed characters, lengths within its limits."""

from __future__ import annotations

import hashlib
import html
import json
import math
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from nas_rnn.outside import shown

MAX_NAME = 250
MAX_PARAM = 6000
MAX_TAG = 8000
NONFINITE = "nonfinite."
_ELLIPSIS = " ... (cut)"


def safe_name(name: str) -> str:
    """Return ``name`` as MLflow takes it for a metric, parameter or tag.

    Characters other than letters, digits, space and ``/_.-`` become ``_``, a colon too: Windows refuses it.
    """
    cleaned = posixpath.normpath(re.sub(r"[^/\w.\- ]", "_", name)).lstrip("/")
    if cleaned in ("", ".") or cleaned.startswith(".."):
        cleaned = "_" + cleaned.lstrip(".")
    if len(cleaned) > MAX_NAME:
        cleaned = f"{cleaned[: MAX_NAME - 9]}-{_digest(name)}"
    return cleaned


def safe_path(path: str) -> str:
    """Return an artifact's ``path`` without the characters that break addresses or Windows' file names."""
    return re.sub(r'[\x00-\x1f#?%:*"<>|\\]', "_", path)


def safe_names(names: Iterable[str], clean: Callable[[str], str] = safe_name) -> dict[str, str]:
    """Return each of ``names`` cleaned; of two that would fall together, one gets a digest behind it."""
    given = sorted(set(names))
    taken = {name for name in given if clean(name) == name}
    result: dict[str, str] = {}
    for name in given:
        cleaned = clean(name)
        if cleaned != name:
            if cleaned in taken:
                stem, extension = posixpath.splitext(cleaned)
                cleaned = f"{stem[: MAX_NAME - 9 - len(extension)]}-{_digest(name)}{extension}"
            taken.add(cleaned)
        result[name] = cleaned
    return result


def safe_values(values: Mapping[str, str], limit: int) -> dict[str, str]:
    """Return ``values`` under safe names, each cut to ``limit`` characters."""
    names = safe_names(values)
    return {names[name]: cut(str(value), limit) for name, value in values.items()}


def cut(text: str, limit: int) -> str:
    """Return ``text``, visibly cut where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - len(_ELLIPSIS)] + _ELLIPSIS


def markdown_text(text: str) -> str:
    """Return ``text`` as one line of markdown that makes no element, link or picture; backticks still mark code."""
    line = html.escape(shown(" ".join(text.split())))
    return line.replace("\\", "&#92;").replace("](", "]&#40;")


def fenced(text: str) -> str:
    """Return ``text`` as a block of code in markdown, between fences longer than any in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def table_json(columns: Mapping[str, Sequence[object]]) -> str:
    """Return ``columns`` in the form that MLflow's pages show as a table; what is not finite becomes null."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    data = [[_cell(value) for value in row] for row in rows]
    return json.dumps({"columns": list(columns), "data": data}, ensure_ascii=False)


def content_digest(content: str | bytes) -> bytes:
    """Return a digest that differs where ``content`` differs."""
    return hashlib.sha256(
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    ).digest()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
