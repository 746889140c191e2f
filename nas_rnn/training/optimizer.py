"""AdamW as every run has it: torch's own arithmetic, without torch's compiler."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor


def _bare(method: Any) -> Any:
    """Return a method of torch's without what torch wraps around it for `torch.compile`."""
    return inspect.unwrap(method)


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, to the last bit, whose methods do not import ``torch._dynamo`` when they are first called.

    That import takes as long as torch's own, sympy's with it, in every worker and before every search's first run. All
    that it is needed for here is to tell a compiler what to leave alone, and nothing here is compiled by it.
    """

    add_param_group = _bare(torch.optim.Optimizer.add_param_group)
    zero_grad = _bare(torch.optim.Optimizer.zero_grad)
    state_dict = _bare(torch.optim.Optimizer.state_dict)
    load_state_dict = _bare(torch.optim.Optimizer.load_state_dict)
    _step = _bare(torch.optim.AdamW.step)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Tensor | None:  # type: ignore[override]
        found: Tensor | None = self._step(closure)
        return found
