"""Values of options that are more than numbers: read from what Python, TOML or the command line gives."""

from __future__ import annotations

import re
from pathlib import Path

from nas_rnn.training.options import TUNED, TUNED_IF_ASKED

MOST_SEEDS = 100
LONGEST = 3650 * 86400
"""Seconds; of the longest duration."""
_TAKEN = r"mlflow\.db.*|artifacts"
"""What MLflow's store is called, beside the run folders; some file systems know no capitals."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """Read a duration such as ``90s``, ``30m``, ``2h`` or ``1h30m`` as seconds."""
    if value is None or isinstance(value, (int, float)):
        return value if value is None else _within(value, value)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", str(value))
    if not parts or "".join(number + unit for number, unit in parts) != str(value):
        raise ValueError(f"a duration is written like 90s, 30m, 2h or 1h30m, not {value!r}")
    return _within(value, sum(float(number) * _UNITS[unit] for number, unit in parts))


def _within(value: object, total: float) -> float:
    if total > LONGEST:
        raise ValueError(f"a duration is at most 3650d, not {value!r:.40}")
    return total


def folder_name(value: object) -> object:
    """Return the name of a run folder; ValueError for what no folder is to be called."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", str(value)):
        raise ValueError(
            f"a name is 1 to 100 letters, digits, '.', '_' or '-' and begins with a letter or digit, not {value!r:.120}"
        )
    if value is not None and re.fullmatch(_TAKEN, str(value).lower()):
        raise ValueError(f"{value!r} is what MLflow's store is called there; give another name")
    return value


def is_folder_name(name: str) -> bool:
    """Return whether a folder right under the runs can be called so; somebody may have renamed one."""
    length = len(name.encode("utf-8", "surrogatepass"))
    return Path(name).name == name and name not in ("", "..") and "\0" not in name and length <= 255


def list_of_texts(value: object) -> object:
    """Return a list of texts; ValueError for a single one."""
    if isinstance(value, str):
        raise ValueError(f'a list of texts is needed, ["{value}"], not a single text')
    return value


def tuned_options(value: object) -> object:
    """Return the options to be tuned, from names with commas; ValueError for what cannot be."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise ValueError(f'a list of options is needed, such as ["batch", "clip"], not {value!r}')
    names = [name.strip().replace("-", "_") for text in texts for name in str(text).split(",")]
    for name in names:
        if name not in TUNED_IF_ASKED:
            anyway = ", ".join([*TUNED, "gate_bias"])
            raise ValueError(
                f"{', '.join(TUNED_IF_ASKED)} can be tuned besides what always is ({anyway}), not {name!r}"
            )
    return tuple(name for name in TUNED_IF_ASKED if name in names)


def number_of_seeds(value: object) -> object:
    """Return a number of seeds or "auto"; ValueError for anything else."""
    if value == "auto" or (type(value) is int and 1 <= value <= MOST_SEEDS):
        return value
    raise ValueError(f"a whole number from 1 to {MOST_SEEDS}, or auto, is needed, not {value!r}")
