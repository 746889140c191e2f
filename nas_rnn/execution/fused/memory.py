"""Memory for what a layer keeps to itself, used again from one training step to the next.

Memory that is new to a process costs more to touch for the first time than to compute with: on a virtual machine eight
times as much as to write it again. The C library gives large blocks back to the system as soon as they are freed, so
each training step would pay anew.
"""

from __future__ import annotations

import math
import mmap
import weakref
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

LEAST = 1 << 17
"""Smaller blocks, in bytes, are the C library's, which keeps them."""
MOST = 1 << 28
"""So many bytes are kept at most for later use; those that have waited for longest go first."""

_free: list[mmap.mmap] = []
"""Blocks in the order in which they came back. A list's methods are atomic: there is no lock, as the garbage collector
may bring a block back in the middle of anything."""


def empty(like: Tensor, *shape: int) -> Tensor:
    """Return a tensor of ``like``'s dtype and device, not initialised; one on the CPU whose memory is used again later.

    Its storage cannot be resized, so it is for what stays within the layer, and for gradients of weights. Where the
    system has no block, torch is asked, which raises its own error or finds what it keeps.
    """
    size = like.element_size() * math.prod(shape)
    if like.device.type != "cpu" or size < LEAST:
        return like.new_empty(shape)
    try:
        block = _taken(size)
    except OSError:
        _free.clear()
        return like.new_empty(shape)
    whole = np.frombuffer(block, np.uint8)
    weakref.finalize(whole, _bring_back, block).atexit = False
    return torch.from_numpy(whole)[:size].view(like.dtype).view(shape)


def _taken(size: int) -> mmap.mmap:
    """Return the smallest free block that holds ``size`` bytes and is not twice as large, or a new one."""
    while fitting := [block for block in _free if size <= len(block) < 2 * size]:
        block = min(fitting, key=len)
        try:
            _free.remove(block)
        except ValueError:  # another thread was first
            continue
        return block
    block = mmap.mmap(-1, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):  # not all systems have huge pages, nor all kernels that name them
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _bring_back(block: mmap.mmap) -> None:
    _free.append(block)
    while sum(map(len, list(_free))) > MOST:
        try:
            _free.pop(0)
        except IndexError:  # others have taken them all
            return
