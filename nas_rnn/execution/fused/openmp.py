"""The OpenMP that torch itself runs on.

Its threads are used, since they stay busy for a while after each of torch's operations: others would find the
processors taken.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

PATTERNS = ("lib/libgomp*", "lib/libomp*", "lib/libiomp*", "../torch.libs/libgomp*", ".dylibs/libomp*")
"""Where torch's packages carry it, from torch's own folder on."""


@dataclass(frozen=True)
class OpenMP:
    """Addresses of functions: one that runs another on several threads, and what tells a thread its number
    and their count."""

    parallel: int
    number: int
    threads: int


_forked: list[bool] = []


@cache
def find_openmp() -> OpenMP | None:
    """Return the OpenMP that is loaded with torch; None where it is not found, and in a forked process, which
    has none of its threads."""
    if _forked:
        return None
    folder = Path(torch.__file__).parent
    for path in (found for pattern in PATTERNS for found in sorted(folder.glob(pattern))):
        try:
            library = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
            found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names]
        except (OSError, AttributeError):
            continue
        if None not in found:
            return OpenMP(*(address or 0 for address in found))
    return None


def _in_forked_process() -> None:
    _forked.append(True)
    find_openmp.cache_clear()


os.register_at_fork(after_in_child=_in_forked_process)
