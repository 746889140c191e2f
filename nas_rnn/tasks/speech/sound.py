"""Sound files: what their heads claim, whether it can be true, and their samples as one channel."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.texts import require_file

INSTALL = "pip install 'nas_rnn[speech]'"

RATES = (2_000, 384_000)
"""Samples a second, the least and the most."""
MOST_CHANNELS = 16
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""What a program writes as the size of a wav file that it could not know yet."""


@dataclass(frozen=True)
class Head:
    """What a file claims of itself."""

    samples: int
    rate: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def soundfile() -> Any:
    """Return the package that reads sound files.

    Raises:
        UserError: where it is missing.
    """
    try:
        import soundfile as found
    except (ImportError, OSError):  # the latter where its library is missing
        raise UserError(f"recordings are read by soundfile; install it with: {INSTALL}") from None
    return found


def read_head(path: Path, called: str) -> Head:
    """Return what a file claims, without reading its samples.

    Raises:
        UserError: for what is no sound file, has no samples, or claims what cannot be, or is not there.
    """
    require_file(path, f"{called} should be a sound file" if called != str(path) else "give sound files")
    try:
        size = path.stat().st_size
        if size == 0:
            raise UserError(f"{called} is empty; take it out, or fetch it again")
        missing = _missing_bytes(path, size)
    except OSError as error:
        raise UserError(f"cannot read {called}: {error.strerror}; give files that you may read") from error
    library = soundfile()
    try:
        with library.SoundFile(path) as file:
            samples, rate, channels = file.frames, file.samplerate, file.channels
    except (library.SoundFileError, RuntimeError, TypeError) as error:
        raise UserError(f"{called} is no sound file that can be read: {shown(str(error))[-80:]}") from error
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(
            f"{called} claims {rate:,} samples a second; from {RATES[0]:,} to {RATES[1]:,} can be read"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise UserError(f"{called} claims {channels:,} channels; up to {MOST_CHANNELS} can be read")
    if missing:
        raise UserError(
            f"{called} is cut off: its head claims {missing:,} bytes more than there are; fetch it again, or take it "
            "out"
        )
    if samples < 1:
        raise UserError(f"{called} has no samples; take it out, or record it again")
    return Head(samples, rate)


def read_samples(path: Path, called: str, head: Head) -> NDArray[np.float32]:
    """Return the mean of all channels, (samples,), from -1 to 1.

    Raises:
        UserError: for a file that ends before its head says, or samples that are not finite.
    """
    library = soundfile()
    try:
        samples_SC: NDArray[np.float32] = library.read(
            path, frames=head.samples, dtype="float32", always_2d=True
        )[0]
    except (library.SoundFileError, RuntimeError, OSError) as error:
        raise UserError(
            f"{called} cannot be read to its end: {shown(str(error))[-80:]}; fetch it again"
        ) from error
    if len(samples_SC) < head.samples:
        raise UserError(
            f"{called} is cut off: it ends after {len(samples_SC):,} of {head.samples:,} samples; fetch it again, or "
            "take it out"
        )
    if not bool(np.isfinite(samples_SC).all()):
        place = int(np.argwhere(~np.isfinite(samples_SC))[0, 0])
        raise UserError(
            f"{called} has a sample that is no finite number ({place + 1:,}); take it out, or mend it"
        )
    samples_S: NDArray[np.float32] = samples_SC.mean(axis=1)
    return samples_S


def resampled(samples_S: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Return samples at another rate, by a polyphase filter that takes out what the new rate cannot hold."""
    if rate == wanted:
        return samples_S
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    found: NDArray[np.float32] = resample_poly(samples_S, wanted // common, rate // common).astype(np.float32)
    return found


def _missing_bytes(path: Path, size: int) -> int:
    """Return how many bytes of samples a wav file's head claims beyond its end; 0 for all other files.

    libsndfile takes a claim that is too large for what is there, and says nothing.
    """
    with path.open("rb") as file:
        begins = file.read(12)
        if begins[:4] != b"RIFF" or begins[8:] != b"WAVE":
            return 0
        place = len(begins)
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            place += len(head)
            if name == b"data":
                return 0 if length in UNKNOWN_SIZES else max(0, place + length - size)
            place += length + length % 2  # chunks begin at even places
            file.seek(place)
    return 0
