"""Sound files: what their heads claim, whether it can be true, and their samples as one channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.speech.ends import FORMATS, cut_off
from nas_rnn.tasks.texts import require_file

INSTALL = "pip install 'nas_rnn[speech]'"

RATES = (2_000, 384_000)
"""Samples a second, the least and the most."""
MOST_CHANNELS = 16
LARGEST = 2.0**24
"""Of a sample: whole numbers of 24 bits that were written as they are. Spectra of much larger ones are not finite."""


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
        cut = cut_off(path, size)
    except OSError as error:
        raise UserError(f"cannot read {called}: {error.strerror}; give files that you may read") from error
    if cut:
        raise UserError(f"{called} is cut off: {cut}; fetch it again, or take it out")
    library = soundfile()
    try:
        with library.SoundFile(path) as file:
            samples, rate, channels, kind = file.frames, file.samplerate, file.channels, file.format
    except (library.SoundFileError, RuntimeError, TypeError) as error:
        raise UserError(f"{called} is no sound file that can be read: {shown(str(error))[-80:]}") from error
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(
            f"{called} claims {rate:,} samples a second; from {RATES[0]:,} to {RATES[1]:,} can be read"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise UserError(f"{called} claims {channels:,} channels; up to {MOST_CHANNELS} can be read")
    if kind not in FORMATS:
        raise UserError(
            f"{called} is of the kind {kind}, of which nobody can say whether it is whole; save it as wav or FLAC"
        )
    if samples < 1:
        raise UserError(f"{called} has no samples; take it out, or record it again")
    return Head(samples, rate)


def read_samples(path: Path, called: str, head: Head) -> NDArray[np.float32]:
    """Return the mean of all channels, (samples,), from -1 to 1, or what else a file of floating numbers has.

    Raises:
        UserError: for a file that ends before its head says, or samples that are not finite or larger than `LARGEST`.
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
    if samples_SC.max() > LARGEST or samples_SC.min() < -LARGEST:
        place = int(np.argmax(np.abs(samples_SC).max(axis=1)))
        largest = float(np.abs(samples_SC[place]).max())
        raise UserError(
            f"{called} has a sample as large as {largest:.3g} ({place + 1:,}), where samples go from -1 to 1; take it "
            "out, or mend it"
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
