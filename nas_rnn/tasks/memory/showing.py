"""What a model remembers, to look at: some series with answers, how many are solved by length, and its Jacobians."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.execution.jacobians import back_from_the_end, largest_singular_values, step_jacobians
from nas_rnn.tasks.answers import require_showable
from nas_rnn.tasks.memory.batching import batch_of
from nas_rnn.tasks.memory.brackets import BRACKETS
from nas_rnn.tasks.memory.making import kept_digits
from nas_rnn.tasks.memory.model import Rememberer
from nas_rnn.tasks.memory.options import Options, draw_of, kind_of, lengths_of, letter
from nas_rnn.tasks.memory.series import Ints, Series
from nas_rnn.tasks.task import PreviewOptions

SHOWN = 4
"""Series on one screen."""
ENOUGH = 90.0
"""Per cent of a length that are to be solved for a cell to remember so long."""
DRAWN, MOST_STEPS = 200, 200_000
"""Series of each length that are drawn to show how many are solved; fewer of long ones, `MOST_STEPS` in all."""
FEWEST = 20
LOOKED_AT, MOST_WORK = 100, 2e9
"""Steps whose Jacobians are shown, at most; of wide nets fewer: steps times D^3 for D numbers of the state."""
SHADES = " .:-=+*#%@"


def described(
    model: Rememberer, own: Options, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions
) -> str:
    """Return some series of the training length with the model's answers, drawn by ``seed``, as text.

    Raises:
        UserError: see `nas_rnn.tasks.memory.task.Memory.preview`.
    """
    require_showable(options)
    if options.prompt:
        raise UserError("the task 'memory' draws its series by itself; leave out the prompt")
    count = min(SHOWN, options.length)
    if not count:
        return ""
    series = examples(own, meta, seed, count)
    answers_KB, solved_B = model.answers(batch_of(series).to(next(model.parameters()).device))
    rows = zip(answers_KB.T.tolist(), solved_B.tolist(), strict=True)
    texts = [_one(series.at([place]), own, meta["classes"], *row) for place, row in enumerate(rows)]
    return "\n\n".join(texts)


def examples(own: Options, meta: Mapping[str, Any], seed: int, count: int) -> Series:
    """Return series of the training length that are drawn by ``seed`` and stand in no part but by chance."""
    if own.kind == "pixels":
        kept = kept_digits(meta)
        return kept.at(np.random.default_rng(seed).permutation(len(kept))[:count])
    return _drawn(own, np.full(count, lengths_of(own).steps), seed)


def by_length(model: Rememberer, own: Options, *, seed: int) -> list[tuple[int, float]]:
    """Return lengths up to the longest that is tested or trained on, each with the per cent that are solved."""
    lengths = lengths_of(own)
    longest, kind = max(lengths.steps, *lengths.asked), kind_of(own)
    spread = np.linspace(longest / 8, longest, 8).round().astype(int).tolist()
    there = {length + length % 2 for length in spread} if kind.even else spread
    wanted = sorted({max(kind.least, length) for length in there} | {*lengths.asked})
    device, found = next(model.parameters()).device, list[tuple[int, float]]()
    for length in wanted:
        count = max(FEWEST, min(DRAWN, MOST_STEPS // length))
        series = _drawn(own, np.full(count, length), seed)
        solved_B = model.answers(batch_of(series).to(device))[1]
        found.append((length, 100.0 * float(solved_B.double().mean())))
    return found


def remembered(solved: Sequence[tuple[int, float]]) -> str:
    """Say up to which length a cell remembers."""
    if not solved:
        return ""
    reached = 0
    for length, share in solved:
        if share < ENOUGH:
            break
        reached = length
    each = ", ".join(f"{length}: {share:.0f} %" for length, share in solved)
    end = f"at least {ENOUGH:.0f} % are solved up to length {reached}" if reached else (
        f"less than {ENOUGH:.0f} % are solved even of length {solved[0][0]}"
    )  # fmt: skip
    return "\n".join(textwrap.wrap(f"{end} (solved by length: {each})", 100))


def jacobian_norms(
    model: Rememberer, own: Options, meta: Mapping[str, Any], *, seed: int
) -> tuple[Ints, NDArray[np.float64], NDArray[np.float64]]:
    """Return steps, counted from 1, and the largest singular values of their Jacobians, alone and back from the end.

    They are those of one series of the training length, of its last steps where it is long.
    """
    batch = batch_of(examples(own, meta, seed, 1)).to(next(model.parameters()).device)
    net = model.net
    assert not isinstance(batch.inputs, Mapping)
    x_TI = net.read(batch.inputs)[:, 0]
    paths = net.rnn(x_TI[:1, None], None)[1]
    paths = paths if isinstance(paths, tuple) else (paths,)
    width = sum(path.shape[0] * path.shape[-1] for path in paths)
    looked_at = int(min(LOOKED_AT, max(8.0, MOST_WORK / width**3), len(x_TI) - 1))
    steps = range(len(x_TI) - looked_at, len(x_TI))
    jacobians_TDD = step_jacobians(net.rnn, x_TI, steps)
    norms = (largest_singular_values(jacobians_TDD), back_from_the_end(jacobians_TDD))
    return np.array(steps) + 1, norms[0].numpy(), norms[1].numpy()


def _drawn(own: Options, length_N: Ints, seed: int) -> Series:
    return draw_of(own)(np.random.default_rng((own.seed, 3, seed)), length_N)


def _one(series: Series, own: Options, classes: Sequence[str], answers: Sequence[Any], solved: bool) -> str:
    """Return one series, what was to be answered, and what was."""
    values, wanted = series.inputs[0, : int(series.steps[0])], series.answers[0].tolist()
    said = "solved" if solved else "not solved"
    if own.kind == "adding":
        places = np.flatnonzero(values[:, 1])
        numbers = [f"[{a:.2f}]" if marked else f"{a:.2f}" for a, marked in values.tolist()]
        sum_of = " + ".join(f"{values[place, 0]:.2f} (step {place + 1})" for place in places)
        answer = f"{sum_of} = {wanted[0]:.2f}, answered {answers[0]:.2f}: {said}"
        return "\n".join([*textwrap.wrap(textwrap.shorten(" ".join(numbers), 400), 100), answer])
    names, told = ([classes[int(one)] for one in row] for row in (answers, wanted))
    gap = " " if own.kind == "copy" and own.symbols > 26 else ""
    answer = f"right is {gap.join(told)}, answered {gap.join(names)}: {said}"
    return "\n".join([*textwrap.wrap(_read(values, own), 100), answer])


def _read(values: NDArray[Any], own: Options) -> str:
    if own.kind == "parity":
        return "".join(map(str, values.tolist()))
    if own.kind == "dyck":
        return "".join(BRACKETS[number] for number in values.tolist())
    if own.kind == "copy":
        signs = [letter(number) for number in range(own.symbols)] + ["·", "!"]
        return (" " if own.symbols > 26 else "").join(signs[number] for number in values.tolist())
    return "|" + "".join(SHADES[round(grey * (len(SHADES) - 1))] for grey in values[:, 0].tolist()) + "|"
