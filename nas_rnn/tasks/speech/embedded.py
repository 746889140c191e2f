"""Speech that a package carries: the Japanese vowels of Kudo, Toyama and Shimbo (1999), as cepstra."""

from __future__ import annotations

from dataclasses import replace

from nas_rnn.tasks.series.bundled import bundled
from nas_rnn.tasks.series.recordings import Recordings
from nas_rnn.tasks.series.ts_file import read_ts
from nas_rnn.tasks.speech.sound import INSTALL

NAME = "JapaneseVowels"


def vowels() -> tuple[Recordings, Recordings]:
    """Return 270 recordings to train and validate on, and 370 to test on: who of nine men says two vowels.

    Each has 7 to 29 frames of 12 cepstra (LPC), as the authors published them; the sound itself is not among the data.

    Raises:
        UserError: where no package has them.
    """
    train, test = (read_ts(path) for path in bundled(NAME, INSTALL))
    names = tuple(f"cepstrum {number + 1}" for number in range(len(train.variables)))
    fit, own_test = (replace(own, source=NAME, variables=names, called="recordings") for own in (train, test))
    return fit, own_test
