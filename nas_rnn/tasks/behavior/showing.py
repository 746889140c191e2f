"""What a model expects next, step by step: as text, as a table of cells and as a curve of recall.

Shapes: T steps of a session, N predicted steps of a part, K items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.errors import UserError, suggest
from nas_rnn.tasks.answers import require_showable
from nas_rnn.tasks.behavior.batching import batches_of
from nas_rnn.tasks.behavior.figures import Step, recall_png, steps_png
from nas_rnn.tasks.behavior.floors import popularity, ranked, transitions
from nas_rnn.tasks.behavior.model import SessionPredictor
from nas_rnn.tasks.behavior.ranking import Ranks, joined, ranks_of
from nas_rnn.tasks.data import EVALUATION, TaskData
from nas_rnn.tasks.figures import shortened
from nas_rnn.tasks.task import Preview, PreviewOptions

SHOWN = 3
"""Sessions on one screen."""
GUESSES, LISTED = 4, 20
"""Items that stand beside a step, and below a prompt."""
MOST_STEPS = 16
MOST_PROMPT = 1000
OTHER = "<other>"
WIDE = 18
CURVE = 50

Floats = NDArray[np.float64]


def show(model: SessionPredictor, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
    """Return what the model, in evaluation mode, expects after the prompt or in validation sessions.

    Raises:
        UserError: see `nas_rnn.tasks.behavior.task.Behavior.preview`.
    """
    require_showable(options)
    names = data.meta["items"]
    if options.prompt.strip():
        return Preview(text=_after(model, prompted(options.prompt, names), names, options.temperature))
    known = data.meta["examples"]
    chosen = np.random.default_rng(seed).permutation(len(known))[:SHOWN].tolist()
    sessions = [
        steps_of(model, known[place], names, options.temperature)[: min(options.length, MOST_STEPS)]
        for place in chosen
    ]
    text = "\n\n".join(
        _table(f"validation session {place + 1}", steps)
        for place, steps in zip(chosen, sessions, strict=True)
    )
    if not options.files:
        return Preview(text=text)
    files = {"next.png": steps_png(sessions[0])} if sessions[0] else {}
    if "valid" in data.parts:
        files["recall.png"] = recall_png(_curves(model, data), model.top)
    return Preview(text=text, files=files)


def prompted(prompt: str, names: Sequence[str]) -> list[str]:
    """Return the items of a prompt, parted by bars where it has some, else by commas.

    Raises:
        UserError: for one that names no known item, or too many.
    """
    parts = [prompt] if prompt in names else prompt.split("|" if "|" in prompt else ",")
    items = [part.strip() for part in parts if part.strip()]
    known = set(names)
    if not items or not known.intersection(items):
        first = items[0] if items else prompt
        raise UserError(
            f"the prompt has no item that the model knows{suggest(first[:80], names[:1000])}; give items with commas "
            f"between, such as '{', '.join(names[:3])}'"
        )
    if len(items) > MOST_PROMPT:
        raise UserError(f"the prompt has {len(items):,} items, more than {MOST_PROMPT:,}; give the last ones")
    return items


@torch.no_grad()
def steps_of(
    model: SessionPredictor, session: Sequence[int], names: Sequence[str], temperature: float
) -> list[Step]:
    """Return what the model expects after each event of a session but the last."""
    device = next(model.parameters()).device
    items_T = torch.tensor(list(session), dtype=torch.int64)
    logits_TK = model.net(items_T[:-1, None].to(device), None)[0][:, 0].double().cpu()
    ranks = ranks_of(logits_TK, items_T[1:])
    shares_TK = _shares(logits_TK, temperature)
    found = list[Step]()
    for place, came in enumerate(session[1:]):
        best = logits_TK[place].topk(min(GUESSES, len(names)))
        known = came < len(names)
        found.append(
            Step(
                seen=_name(session[place], names),
                guesses=[(names[item], float(shares_TK[place, item])) for item in best.indices.tolist()],
                came=_name(came, names),
                share=float(shares_TK[place, came]) if known else 0.0,
                place=int(ranks.above_N[place]) + 1 if known else 0,
            )
        )
    return found


@torch.no_grad()
def _after(model: SessionPredictor, items: list[str], names: Sequence[str], temperature: float) -> str:
    """Return the first items that the model expects to follow ``items``."""
    numbers = {name: number for number, name in enumerate(names)}
    device = next(model.parameters()).device
    read = torch.tensor([numbers.get(item, len(names)) for item in items], device=device)
    logits_K = model.net(read[:, None], None)[0][-1, 0].double().cpu()
    shares_K = _shares(logits_K, temperature)
    unknown = [item for item in items if item not in numbers]
    lines = [f"after {', '.join(items[-5:])} the model expects"]
    if unknown:
        lines.insert(0, f"not known, and read as {OTHER}: {', '.join(unknown[:5])}")
    for place, item in enumerate(logits_K.topk(min(LISTED, len(names))).indices.tolist(), 1):
        lines.append(f"{place:>3}  {100 * float(shares_K[item]):5.1f} %  {names[item]}")
    return "\n".join(lines)


def _shares(logits_K: Tensor, temperature: float) -> Tensor:
    """Return the shares (..., K) of logits divided by the temperature; at 0 the likeliest has all."""
    if temperature == 0.0:
        return torch.nn.functional.one_hot(logits_K.argmax(-1), logits_K.shape[-1]).double()
    return torch.softmax((logits_K - logits_K.amax(-1, keepdim=True)) / temperature, -1)


def _name(item: int, names: Sequence[str]) -> str:
    return names[item] if item < len(names) else OTHER


def _table(title: str, steps: Sequence[Step]) -> str:
    """Return a session in lines: what was seen, what was expected, what came and in which place it stood."""
    lines = [f"{title}: the item seen, the {GUESSES} likeliest next in per cent, and what came"]
    rows = [
        [
            shortened(step.seen, WIDE),
            *(f"{shortened(name, WIDE - 4)} {100 * share:.0f} %" for name, share in step.guesses),
        ]
        for step in steps
    ]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for step, row in zip(steps, rows, strict=True):
        cells = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide, strict=True))
        place = f"no. {step.place}" if step.place else "not known"
        lines.append(f"{cells}  -> {shortened(step.came, WIDE)} ({place})")
    return "\n".join(lines)


@torch.no_grad()
def _curves(model: SessionPredictor, data: TaskData) -> Mapping[str, Floats]:
    """Return recall among the first 1, 2, ... items on the validation part, in per cent, of model and floors."""
    valid, items = data.part("valid"), len(data.meta["items"])
    device = next(model.parameters()).device
    own = list[Ranks]()
    for batch in batches_of(valid, "valid", EVALUATION):
        hidden_NH, targets_N, _ = model.read(batch.to(device))
        own.append(model.ranked(hidden_NH, targets_N)[0])
    all_ranks = {"model": joined(own)}
    if "train" in data.parts:
        train = data.part("train")
        all_ranks["what most often came next"] = ranked(transitions(train, valid, items), valid, items)
        all_ranks["most popular items"] = ranked(popularity(train, items), valid, items)
    last = min(CURVE, items)
    return {
        name: np.array([100 * float(ranks.found(top).mean()) for top in range(1, last + 1)])
        for name, ranks in all_ranks.items()
    }
