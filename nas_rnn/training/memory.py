"""Memory of GPUs: what is said where one has too little, and what a run that has ended gives back."""

from __future__ import annotations

import gc
import re
import sys

ASKED = re.compile(r"Tried to allocate ([\d.]+ \w+)")
THERE = re.compile(
    r"GPU (\d+) has a total capacity of ([\d.]+ \w+) of which ([\d.]+ \w+) is free", re.IGNORECASE
)
ADVICE = "a smaller batch or size needs less, a larger --gpus-per-trial puts fewer runs on one GPU"


def explain_out_of_memory(error: BaseException) -> str | None:
    """Return in one line what a run asked for and what its GPU has; None where memory was not what failed.

    torch says so by an `OutOfMemoryError`, and CUDA, of what torch does not allocate itself, by a RuntimeError.
    """
    text = str(error)
    first = text.splitlines()[0] if text else ""
    is_torchs = type(error).__name__ == "OutOfMemoryError"
    if not is_torchs and not (isinstance(error, RuntimeError) and re.search(r"CUDA.*out of memory", first)):
        return None
    asked, there = ASKED.search(text), THERE.search(text)
    if asked is None or there is None:
        return f"the GPU has no memory left{_free()}: {first or type(error).__name__}; {ADVICE}"
    number, total, free = there.groups()
    return (
        f"the GPU has no memory left: {asked[1]} more were asked for, GPU {number} has {total}, of which {free} were "
        f"free; {ADVICE}"
    )


def _free() -> str:
    """Return the memory that is free now, where a GPU is in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    free, total = torch.cuda.mem_get_info()
    return f" ({free / 2**30:.2f} of {total / 2**30:.2f} GiB are free now)"


def release_memory() -> None:
    """Give back to the GPU what torch keeps for later of runs that have ended: others that share it may need it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
