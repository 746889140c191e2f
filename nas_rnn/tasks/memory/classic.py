"""Adding, copying and parity: what is to be remembered lies as far back as one likes.

Shapes: N series, T steps, K answers.
"""

from __future__ import annotations

import numpy as np

from nas_rnn.tasks.memory.series import Ints, Series


def adding(random: np.random.Generator, length_N: Ints) -> Series:
    """Return numbers in [0, 1), of which one in each half is marked; the answer is the sum of these two.

    Hochreiter & Schmidhuber (1997, "Long short-term memory", 5.4); the halves are those of Arjovsky, Shah & Bengio
    (2016, arXiv:1511.06464, 4.2). Inputs are (N, T, 2): a number, and its mark, 1 or 0.
    """
    count, longest = len(length_N), int(length_N.max(initial=0))
    inputs_NT2 = np.zeros((count, longest, 2), dtype=np.float32)
    real_NT = np.arange(longest) < length_N[:, None]
    inputs_NT2[..., 0] = np.where(real_NT, random.random((count, longest), dtype=np.float32), 0.0)
    half_N = length_N // 2
    marked_2N = random.integers(0, half_N), random.integers(half_N, length_N)
    places_N = np.arange(count)
    for marked_N in marked_2N:
        inputs_NT2[places_N, marked_N, 1] = 1.0
    answers_N = inputs_NT2.astype(np.float64).prod(axis=-1).sum(axis=1)
    return Series(inputs_NT2, length_N.copy(), answers_N[:, None].astype(np.float32), length_N.copy())


def copying(random: np.random.Generator, length_N: Ints, *, symbols: int, copied: int) -> Series:
    """Return ``copied`` symbols, a gap, and as many blanks, in which the symbols are to be named again.

    The last step of the gap says that it ends (Arjovsky, Shah & Bengio 2016, 4.1, whose T is the length here). The
    numbers of the blank and of that sign come behind those of the symbols.
    """
    count, blank, sign = len(length_N), symbols, symbols + 1
    steps_N = length_N + 2 * copied
    told_NK = random.integers(symbols, size=(count, copied))
    inputs_NT = np.full((count, int(steps_N.max(initial=0))), blank, dtype=np.uint8)
    inputs_NT[:, :copied] = told_NK
    inputs_NT[np.arange(count), copied + length_N - 1] = sign
    inputs_NT[np.arange(inputs_NT.shape[1]) >= steps_N[:, None]] = 0
    return Series(inputs_NT, steps_N, told_NK.astype(np.uint8), length_N.copy())


def parity(random: np.random.Generator, length_N: Ints) -> Series:
    """Return bits, and whether the number of ones is odd."""
    longest = int(length_N.max(initial=0))
    bits_NT = random.integers(2, size=(len(length_N), longest), dtype=np.uint8)
    bits_NT[np.arange(longest) >= length_N[:, None]] = 0
    odd_N1 = (bits_NT.sum(axis=1, keepdims=True) % 2).astype(np.uint8)
    return Series(bits_NT, length_N.copy(), odd_N1, length_N.copy())
