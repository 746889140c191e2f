"""A roll that a model writes after a beginning, as text, picture and MIDI file.

Shapes: T frames, K notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.tasks.music.examples import examples
from nas_rnn.tasks.music.midi import midi_of
from nas_rnn.tasks.music.net import RollModel
from nas_rnn.tasks.music.rolls import (
    HIGHEST,
    LOWEST,
    NOTES,
    Piece,
    Roll,
    Written,
    from_numbers,
    note_name,
    pitch_of,
    sounding,
)
from nas_rnn.tasks.sampling import require_drawable
from nas_rnn.tasks.task import Preview, PreviewOptions

GIVEN = 16
"""Frames of a validation piece that a model goes on from: four bars of quarter notes."""
MOST_WRITTEN = 128
"""Frames; more are neither seen nor listened to."""
MOST_PROMPT = 256
PROMPT = "frames parted by |, each of note names or MIDI numbers with blanks between, such as 'C4 E4 G4 | B3 D4 G4'"
SILENCE = "-"
WIDEST = 100
"""Frames in a line of the text."""


def show(
    net: RollModel, meta: Mapping[str, Any], quarters: float, *, seed: int, options: PreviewOptions
) -> Preview:
    """Return what the net, in evaluation mode, writes after the prompt or the start of a validation piece.

    Raises:
        UserError: see `nas_rnn.tasks.music.task.Music.preview`.
    """
    require_drawable(options)
    if options.prompt.strip():
        start, piece = prompted(options.prompt), None
    else:
        known = examples(meta)
        piece = known[int(np.random.default_rng(seed).integers(len(known)))]
        start = piece.roll[: min(GIVEN, -(-len(piece.roll) // 2))]
    length = min(options.length, MOST_WRITTEN)
    written = write(net, start, length=length, temperature=options.temperature, seed=seed, piece=piece)
    if not options.files:
        return Preview(text=_text(written))
    from nas_rnn.tasks.music.figures import rolls_png

    files = {"roll.png": rolls_png(written)}
    content = midi_of(written.roll, quarters)
    if content is not None:
        files["sample.mid"] = content
    return Preview(text=_text(written), files=files)


def prompted(prompt: str) -> Roll:
    """Return the roll (T, K) that a prompt spells.

    Raises:
        UserError: for what is no note, or none of a piano's, and for too many frames.
    """
    frames = [frame.split() for frame in prompt.split("|")]
    if len(frames) > MOST_PROMPT:
        raise UserError(f"the prompt has {len(frames):,} frames, more than {MOST_PROMPT}; give {PROMPT}")
    numbers = list[list[int]]()
    for place, frame in enumerate(frames, start=1):
        if not frame:
            raise UserError(
                f"frame {place} of the prompt is empty; write {SILENCE} for silence, or give {PROMPT}"
            )
        numbers.append([_number(text, place) for text in frame if text != SILENCE])
    return from_numbers(numbers)


def _number(text: str, place: int) -> int:
    pitch = pitch_of(text)
    if pitch is None or not LOWEST <= pitch <= HIGHEST:
        raise UserError(
            f"{text[:20]!r} in frame {place} of the prompt is no note of a piano, A0 to C8 or {LOWEST} to {HIGHEST}; "
            f"give {PROMPT}"
        )
    return pitch


@torch.no_grad()
def write(
    net: RollModel, start: Roll, *, length: int, temperature: float, seed: int, piece: Piece | None = None
) -> Written:
    """Return ``start`` and ``length`` frames after it, each note drawn by itself.

    ``temperature`` divides the logits; at 0 what is likelier than not sounds. The draws depend on ``seed`` alone and
    leave torch's own random state as it was.
    """
    generator = torch.Generator().manual_seed(seed)
    weight = next(net.parameters())
    frames = [torch.from_numpy(start.astype(np.float64))]
    logits_TBK, state = net(frames[0][:, None].to(weight), None)
    unknown_TK = torch.full((1, NOTES), torch.nan, dtype=torch.float64)
    shares = [unknown_TK, logits_TBK[:-1, 0].double().cpu().sigmoid()]
    for _ in range(length):
        logits_TK = logits_TBK[-1].double().cpu()
        frames.append(_drawn(logits_TK, temperature, generator))
        shares.append(logits_TK.sigmoid())
        logits_TBK, state = net(frames[-1][None].to(weight), state)
    roll_TK = torch.cat(frames) > 0.5
    return Written(roll_TK.numpy(), len(start), torch.cat(shares).numpy(), piece)


def _drawn(logits_TK: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0.0:
        return (logits_TK > 0).double()
    return torch.bernoulli((logits_TK / temperature).sigmoid(), generator=generator)


def _text(written: Written) -> str:
    """Draw the roll in letters, high notes above, and name the chords that the model begins with."""
    after = written.roll[written.given :]
    origin = f"{written.given} frames of {written.piece.name}" if written.piece else "the prompt"
    lines = [f"after {origin} (to the left of |) the model goes on for {len(after)} frames:"]
    heard = np.flatnonzero(written.roll.any(0))
    shown_TK = written.roll[:WIDEST]
    for key in range(int(heard[-1]), int(heard[0]) - 1, -1) if len(heard) else ():
        cells = ["█" if on else "·" for on in shown_TK[:, key].tolist()]
        cells.insert(min(written.given, len(cells)), "|")
        lines.append(f"{note_name(key + LOWEST):>3} " + "".join(cells))
    if len(written.roll) > WIDEST:
        lines.append(f"    and {len(written.roll) - WIDEST} more frames")
    chords = [" ".join(map(note_name, chord)) or SILENCE for chord in sounding(after[:8])]
    return "\n".join([*lines, *(["it begins: " + " | ".join(chords)] if chords else [])])
