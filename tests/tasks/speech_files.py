"""Small recordings written as users have them: tones that rise, fall or stay, by speakers of different height."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

WORDS = ("up", "down", "flat")
SPEAKERS = ("ann", "bob", "cy", "dee", "eve", "fay")
RATE = 8000


def word(name: str, speaker: int, take: int, rate: int = RATE) -> NDArray[np.float64]:
    """Return a tone of 80 to 140 ms that moves by an octave as its word says, with a little noise."""
    random = np.random.default_rng((WORDS.index(name), speaker, take))
    time = np.arange(int(rate * random.uniform(0.08, 0.14))) / rate
    course = {"up": 1.0, "down": -1.0, "flat": 0.0}[name] * np.linspace(-0.5, 0.5, len(time))
    pitch = (700.0 + 60.0 * speaker) * 2.0**course
    sound: NDArray[np.float64] = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    return sound + random.normal(0, 0.003, len(time))


def write_words(folder: Path, speakers: int = 3, takes: int = 4, ending: str = ".wav") -> Path:
    """Write ``{label}_{speaker}_{take}`` files."""
    folder.mkdir(exist_ok=True)
    for name in WORDS:
        for speaker in range(speakers):
            for take in range(takes):
                path = folder / f"{name}_{SPEAKERS[speaker]}_{take}{ending}"
                soundfile.write(path, word(name, speaker, take), RATE)
    return folder


def write_sentences(folder: Path, count: int = 24, head: str = "path,transcript,speaker") -> Path:
    """Write recordings of several words in a row, and the table that lists them."""
    folder.mkdir(exist_ok=True)
    random, rows = np.random.default_rng(0), [head]
    for number in range(count):
        said: Sequence[str] = random.choice(WORDS, int(random.integers(1, 4))).tolist()
        speaker = number % len(SPEAKERS)
        sound = np.concatenate([word(name, speaker, number) for name in said])
        soundfile.write(folder / f"s{number}.flac", sound, RATE)
        rows.append(f"s{number}.flac,{' '.join(said)},{SPEAKERS[speaker]}")
    table = folder / "said.csv"
    table.write_text("\n".join(rows) + "\n")
    return table
