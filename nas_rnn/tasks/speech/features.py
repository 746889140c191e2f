"""From samples to frames of features: logarithmic mel bands, or cepstra of them (MFCC), by kaldi-native-fbank.

A frame is a windowed piece of a recording (Povey's window, pre-emphasis 0.97), its power spectrum gathered in bands
that are evenly apart on the mel scale, from 20 Hz to half the rate; cepstra are the cosine transform of their
logarithms (Davis & Mermelstein 1980, *Comparison of parametric representations for monosyllabic word recognition*).

Shapes: T frames, V bands or cepstra.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.options import idle_are_refused
from nas_rnn.tasks.speech.sound import INSTALL

LOUDEST = 32768.0
"""Kaldi's samples are whole numbers of 16 bits, and its floor of energy is made for them."""
LOWEST_BAND = 20.0
"""Hz, where the lowest band begins."""


@dataclass(frozen=True, kw_only=True)
class Spectra:
    """How features are computed: ``hop`` and ``window`` in milliseconds."""

    features: str = "log-mel"
    bands: int = 40
    cepstra: int = 13
    hop: float = 10.0
    window: float = 25.0

    @property
    def names(self) -> tuple[str, ...]:
        """What variables are called."""
        if self.features == "mfcc":
            return tuple(f"cepstrum {number}" for number in range(min(self.cepstra, self.bands)))
        return tuple(f"mel band {number + 1}" for number in range(self.bands))

    def frames(self, seconds: float, rate: int) -> int:
        """Return how many frames a recording gives at this rate."""
        step = int(rate * 0.001 * self.hop)
        return (math.ceil(seconds * rate) + step // 2) // step

    def require_possible(self, rate: int) -> None:
        """Raise `UserError` for more cepstra than bands, or a window too short for so many bands at this rate."""
        if self.features == "mfcc" and self.cepstra > self.bands and idle_are_refused():
            raise UserError(
                f"option cepstra={self.cepstra}: of bands={self.bands} mel bands there are at most {self.bands} "
                f"cepstra; set option cepstra={self.bands}, or bands={self.cepstra}"
            )
        if self._computes(rate, self.bands):
            return
        most = next(bands for bands in range(self.bands, 0, -1) if self._computes(rate, bands))
        fewer = f" and cepstra={most}" if self.features == "mfcc" and self.cepstra > most else ""
        raise UserError(
            f"option bands={self.bands}: a window of {self.window:g} ms at {rate:,} Hz tells at most {most} mel bands "
            f"apart; set option bands={most}{fewer}, or a longer window"
        )

    def of(self, samples_S: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Return the features of a recording, (T, V).

        Raises:
            UserError: where the library is missing.
        """
        computer = self._computer(rate, self.bands)
        computer.accept_waveform(float(rate), (samples_S * LOUDEST).tolist())
        computer.input_finished()
        frames = [computer.get_frame(number) for number in range(computer.num_frames_ready)]
        return np.stack(frames).astype(np.float32)

    def _computes(self, rate: int, bands: int) -> bool:
        try:
            self._computer(rate, bands)
        except ValueError:  # a band holds no frequency of the spectrum
            return False
        return True

    def _computer(self, rate: int, bands: int) -> Any:
        knf, cepstra = library(), self.features == "mfcc"
        wanted = knf.MfccOptions() if cepstra else knf.FbankOptions()
        frame = wanted.frame_opts
        frame.samp_freq, frame.frame_shift_ms, frame.frame_length_ms = float(rate), self.hop, self.window
        frame.dither, frame.snip_edges = 0.0, False
        wanted.mel_opts.num_bins, wanted.mel_opts.low_freq = bands, LOWEST_BAND
        wanted.use_energy = False
        if cepstra:
            wanted.num_ceps = min(self.cepstra, bands)
            return knf.OnlineMfcc(wanted)
        return knf.OnlineFbank(wanted)


def library() -> Any:
    """Return the package that computes features.

    Raises:
        UserError: where it is missing.
    """
    try:
        import kaldi_native_fbank
    except ImportError:
        raise UserError(f"features are computed by kaldi-native-fbank; install it with: {INSTALL}") from None
    return kaldi_native_fbank
