"""A whole sequence as an operator of torch's, so that all tools of torch's see one node where a layer runs.

``nas_rnn::sequence(way, layout, x, states, parameters, mask, restarts)`` returns the output (T, B, H), the final
states, and what the backward pass reads; ``nas_rnn::sequence_backward`` the gradients. ``way`` names who computes
(`register_way`), and ``layout`` is the text `Layout.key`: a program that was exported finds its cell in it. ``mask`` is
(T, B, 1), ``restarts`` (T, B).

The backward pass writes gradients over activations, in what ``made`` holds beside the output, and notes that it has: a
second one over the same computes them anew. So nothing depends on what has been written over, which torch therefore is
not told of; it would copy all of it.

Where gradients are transformed (torch.func, forward mode) the operator is taken apart into torch's own functions, the
eager backend, and so is the derivative of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.learned import learned_gradients, learned_values
from nas_rnn.execution.fused.plain import is_batched, is_plain, is_transformed
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.layout import Layout, layout_of

Tensors = Sequence[Tensor]
Make = Callable[..., Buffers]
Results = tuple[Tensor, list[Tensor], list[Tensor]]
"""The output, the final states, and what the backward pass reads beside them."""

FORMAT = 1
"""Part of every way's name in graphs; to be raised when what the operators hand to each other changes, as torch keeps
compiled graphs on disk."""

_WAYS: dict[str, Callable[[Layout, torch.dtype], tuple[Make, Schedule]]] = {}


def register_way(name: str, find: Callable[[Layout, torch.dtype], tuple[Make, Schedule]]) -> None:
    """Name a way to compute: ``find`` returns what makes the buffers of a sequence, and their schedule.

    The schedule is that of `make_schedule`. ``find`` raises `CompileError` where the cell's code cannot be compiled.
    """
    _WAYS[f"{name} {FORMAT}"] = find


# `torch.library.custom_op` would take 0.1 ms a call more.
LIBRARY: Any = torch.library.Library("nas_rnn", "DEF")  # type: ignore[no-untyped-call]
LIBRARY.define(
    "sequence(str way, str layout, Tensor x, Tensor[] states, Tensor[] parameters, Tensor? mask, Tensor? restarts)"
    " -> (Tensor, Tensor[], Tensor[])",
    tags=(torch.Tag.pt2_compliant_tag,),
)
LIBRARY.define(
    "sequence_backward(str way, str layout, Tensor d_output, Tensor[] d_finals, Tensor x, Tensor[] states,"
    " Tensor[] parameters, Tensor? mask, Tensor? restarts, Tensor output, Tensor[] made, bool[] needs) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def run_sequence(
    way: str,
    layout: Layout,
    parameters: Tensors,
    x_TBI: Tensor,
    states: Tensors,
    mask_TB1: Tensor | None,
    restarts_TB: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction; ``parameters`` stand in the order of ``layout.shapes``.

    With plain tensors torch's dispatcher would come back here at once, after some 40 microseconds, so it is not asked.
    """
    given = f"{way} {FORMAT}", layout.key, x_TBI, states, parameters, mask_TB1, restarts_TB
    if not torch.compiler.is_compiling() and is_plain(x_TBI):
        inputs = x_TBI, *states, *parameters
        output_TBH, *finals = _Sequence.apply(*given[:2], *given[5:], True, len(states), *inputs)  # type: ignore[no-untyped-call]
    else:
        output_TBH, finals, _ = torch.ops.nas_rnn.sequence.default(*given)
    return output_TBH, tuple(finals)


# The values


def _forward(
    way: str,
    key: str,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    direct: bool = False,
) -> Results:
    make, schedule = _WAYS[way](layout_of(key), x.dtype)
    learned = learned_values(schedule, parameters, x)
    if len(schedule.learned) == 1 and not direct:
        learned = learned.clone()  # no part of a parameter, as operators return values of their own
    run = make(_active(mask), restarts, x, learned, states, parameters)
    run.forward()
    finals = [new[-1].clone() for new in run.new]
    made = [*run.new[1:], *run.kept, learned, run.moments, run.slots]
    return run.new[0], finals, made if direct else [*made, unused(x)]


def unused(like: Tensor) -> Tensor:
    """Return the note that no backward pass has written over what is kept."""
    return like.new_zeros(1, dtype=torch.uint8)


def with_zeros(d_results: Sequence[Tensor | None], output: Tensor, states: Tensors) -> list[Tensor]:
    """Return the gradients of output and final states, zeros where nothing depends on one."""
    pairs = zip(d_results, (output, *states), strict=True)
    return [torch.zeros_like(like) if d is None else d for d, like in pairs]


def _active(mask: Tensor | None) -> Tensor | None:
    """Return how many sequences still run at each step."""
    return None if mask is None else mask.sum((1, 2))


def _without_data(
    way: str,
    key: str,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
) -> Results:
    layout = layout_of(key)
    schedule = make_schedule(layout)
    steps, batch = x.shape[:2]
    widths = [*layout.state_sizes, *(layout.width(node) for node in schedule.kept)]
    widths += [2 * len(schedule.norms), len(schedule.slots) * layout.hidden_size]
    output, *made = (x.new_empty(steps, batch, width) for width in widths)
    made = [*made[:-2], x.new_empty(schedule.learned_size), *made[-2:], x.new_empty(1, dtype=torch.uint8)]
    return output, [x.new_empty(batch, size) for size in layout.state_sizes], made


def _eagerly(
    key: str, x: Tensor, states: Tensors, parameters: Tensors, mask: Tensor | None, restarts: Tensor | None
) -> Results:
    layout = layout_of(key)
    named = dict(zip((name for name, _ in layout.shapes), parameters, strict=True))
    output, finals = run_eager(
        layout, named, x, tuple(states), mask, None if restarts is None else restarts[..., None]
    )
    return output, list(finals), []


# The gradients


def _backward(
    way: str,
    key: str,
    d_output: Tensor,
    d_finals: Tensors,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    output: Tensor,
    made: Tensors,
    needs: Sequence[bool],
) -> list[Tensor]:
    *results, used = made
    if x.device.type == "cpu":
        note = used.numpy()  # autograd, which compares what it saved, does not see it change
        again, note[0] = bool(note[0]), 1
    else:  # asking would stop the device
        again, results[-1] = False, results[-1].clone()
    gradients = _gradients(
        way, key, d_output, d_finals, x, states, parameters, mask, restarts, output, results, needs, again
    )
    return [x.new_empty(0) if gradient is None else gradient for gradient in gradients]


def _gradients(
    way: str,
    key: str,
    d_output: Tensor | None,
    d_finals: Sequence[Tensor | None],
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    output: Tensor,
    made: Tensors,
    needs: Sequence[bool],
    again: bool = False,
) -> list[Tensor | None]:
    """Return the gradients of x, the states' starts and the parameters, None where ``needs`` says so.

    Those given are None for zeros. The slots, last of ``made``, are written over by their gradients. Where this is done
    ``again`` for one graph, all is computed anew.
    """
    make, schedule = _WAYS[way](layout_of(key), x.dtype)
    paths = len(states)
    run = make(_active(mask), restarts, x, made[-3], states, parameters)
    if again:
        run.forward()
    else:
        run.new, run.kept = [output, *made[: paths - 1]], list(made[paths - 1 : -3])
        run.moments, run.slots = made[-2:]
    d_x, d_learned, d_starts, d_matrices = run.backward(d_output, d_finals, needs[0], needs[1 + paths :])
    d_parameters = learned_gradients(schedule, parameters, x, d_learned, d_matrices, needs[1 + paths :])
    found = [d_x, *d_starts, *d_parameters]
    return [gradient if need else None for gradient, need in zip(found, needs, strict=True)]


def _gradients_without_data(
    way: str,
    key: str,
    d_output: Tensor,
    d_finals: Tensors,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    output: Tensor,
    made: Tensors,
    needs: Sequence[bool],
) -> list[Tensor]:
    inputs = [x, *states, *parameters]
    return [x.new_empty(t.shape if need else (0,)) for t, need in zip(inputs, needs, strict=True)]


def _gradients_eagerly(
    key: str,
    d_results: Tensors,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients by torch's functions: where they are to be differentiated again, and where ``d_results``
    are a batch of gradients or otherwise no plain tensors."""
    again = torch.is_grad_enabled()
    inputs = [x, *states, *parameters]
    with torch.enable_grad():
        if any(t.requires_grad for t in inputs):
            inputs = [t.view_as(t) for t in inputs]  # one tensor in two places has a gradient for each
        else:
            inputs = [t.detach().requires_grad_(need) for t, need in zip(inputs, needs, strict=True)]
        x, states, parameters = inputs[0], inputs[1 : 1 + len(states)], inputs[1 + len(states) :]
        output, finals, _ = _eagerly(key, x, states, parameters, mask, restarts)
    results = [(r, d) for r, d in zip((output, *finals), d_results, strict=True) if r.requires_grad]
    wanted = [i for i, need in enumerate(needs) if need and inputs[i].requires_grad]
    found = torch.autograd.grad(
        [r for r, _ in results],
        [inputs[i] for i in wanted],
        [d for _, d in results],
        create_graph=again,
        allow_unused=True,
    )
    gradients: list[Tensor | None] = [None] * len(inputs)
    for i, gradient in zip(wanted, found, strict=True):
        gradients[i] = gradient
    return gradients


class _Sequence(torch.autograd.Function):
    """x, states' starts and parameters -> output, final states, and what the backward pass reads."""

    @staticmethod
    def forward(
        ctx: Any,
        way: str,
        key: str,
        mask: Tensor | None,
        restarts: Tensor | None,
        direct: bool,
        paths: int,
        x: Tensor,
        *more: Tensor,
    ) -> tuple[Tensor, ...]:
        states, parameters = more[:paths], more[paths:]
        if direct:
            output, finals, made = _forward(way, key, x, states, parameters, mask, restarts, direct)
            ctx.set_materialize_grads(False)
        else:
            with torch._C._AutoDispatchBelowAutograd():
                output, finals, made = torch.ops.nas_rnn.sequence.default(
                    way, key, x, states, parameters, mask, restarts
                )
        ctx.way, ctx.key, ctx.paths, ctx.inputs = way, key, paths, 1 + len(more)
        ctx.direct, ctx.slots_hold_gradients = direct, False
        ctx.save_for_backward(mask, restarts, x, *more, output, *made)
        if direct:
            return (output, *finals)
        ctx.mark_non_differentiable(*made)
        return (output, *finals, *made)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        mask, restarts, *saved = ctx.saved_tensors
        (x, *more), (output, *made) = saved[: ctx.inputs], saved[ctx.inputs :]
        states, parameters = more[: ctx.paths], more[ctx.paths :]
        d_results, needs = d_results[: 1 + ctx.paths], ctx.needs_input_grad[6:]
        arguments = x, states, parameters, mask, restarts
        found: Sequence[Tensor | None]
        plain = all(d is None or is_plain(d) for d in d_results)
        if is_transformed() or any(d is not None and is_batched(d) for d in d_results):
            found = _gradients_eagerly(ctx.key, with_zeros(d_results, output, states), *arguments, needs)
        elif plain and not torch.is_grad_enabled():
            again, ctx.slots_hold_gradients = ctx.slots_hold_gradients, True
            made = made[: len(made) - (not ctx.direct)]
            found = _gradients(
                ctx.way, ctx.key, d_results[0], d_results[1:], *arguments, output, made, needs, again
            )
        elif ctx.slots_hold_gradients and not plain:  # the operator does not know that they do
            found = _gradients_eagerly(ctx.key, with_zeros(d_results, output, states), *arguments, needs)
        else:
            ctx.slots_hold_gradients |= not torch.is_grad_enabled()
            made = [*made, unused(x)] if ctx.direct else made
            d_output, *d_finals = with_zeros(d_results, output, states)
            given = torch.ops.nas_rnn.sequence_backward.default(
                ctx.way, ctx.key, d_output, d_finals, *arguments, output, made, needs
            )
            found = [gradient if need else None for gradient, need in zip(given, needs, strict=True)]
        return (None, None, None, None, None, None, *found)


def _forward_with_gradients(
    way: str,
    key: str,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
) -> Results:
    if is_transformed():
        return _eagerly(key, x, states, parameters, mask, restarts)
    paths = len(states)
    found = _Sequence.apply(way, key, mask, restarts, False, paths, x, *states, *parameters)  # type: ignore[no-untyped-call]
    return found[0], list(found[1 : 1 + paths]), list(found[1 + paths :])


def _backward_with_gradients(
    way: str,
    key: str,
    d_output: Tensor,
    d_finals: Tensors,
    x: Tensor,
    states: Tensors,
    parameters: Tensors,
    mask: Tensor | None,
    restarts: Tensor | None,
    output: Tensor,
    made: Tensors,
    needs: Sequence[bool],
) -> list[Tensor]:
    if torch.is_grad_enabled() or is_transformed():
        found = _gradients_eagerly(key, [d_output, *d_finals], x, states, parameters, mask, restarts, needs)
        inputs = [x, *states, *parameters]
        return [
            g if g is not None else torch.zeros_like(t) if need else x.new_empty(0)
            for g, t, need in zip(found, inputs, needs, strict=True)
        ]
    with torch._C._AutoDispatchBelowAutograd():
        given: list[Tensor] = torch.ops.nas_rnn.sequence_backward.default(
            way, key, d_output, d_finals, x, states, parameters, mask, restarts, output, made, needs
        )
    return given


for _name, _kernel, _key in (
    ("sequence", _forward, "CompositeExplicitAutograd"),
    ("sequence", _forward_with_gradients, "Autograd"),
    ("sequence_backward", _backward, "CompositeExplicitAutograd"),
    ("sequence_backward", _backward_with_gradients, "Autograd"),
):
    LIBRARY.impl(_name, _kernel, _key)
torch.library.register_fake("nas_rnn::sequence", _without_data, lib=LIBRARY)
torch.library.register_fake("nas_rnn::sequence_backward", _gradients_without_data, lib=LIBRARY)
