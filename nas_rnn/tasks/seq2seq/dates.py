"""Dates as people write them, in several languages, and as ISO 8601 has them: "Mittwoch, 4. März 2015", 2015-03-04."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.seq2seq.pairs import Pair

INSTALL = "pip install 'nas_rnn[text]'"

STYLES = ("medium", "long", "full", "d MMM y", "d MMMM y", "MMMM d, y", "EEEE, d MMM y", "dd.MM.y")
"""A language's own styles but "short", which has years of two digits, and patterns (Unicode TR 35, "Date Format
Patterns"). No date is ambiguous by them in the languages of the default: numbers with dots have the day first."""

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)


def date_pairs(count: int, locales: Sequence[str], random: np.random.Generator) -> list[Pair]:
    """Return so many different days, each written in one of the languages and styles.

    Raises:
        UserError: for a language that babel does not know, more dates than there are, and where babel is missing.
    """
    try:
        from babel import Locale, UnknownLocaleError
        from babel.dates import format_date
    except ImportError:
        raise UserError(f"kind=dates needs babel; install it with: {INSTALL}") from None
    known = list[Locale]()
    for name in locales:
        try:
            known.append(Locale.parse(name))
        except (UnknownLocaleError, ValueError, TypeError):
            raise UserError(
                f"babel knows no language {name!r}; give some with commas, such as locales=en,de,fr"
            ) from None
    days = (LAST - FIRST).days + 1
    if count > days:
        raise UserError(f"there are {days:,} days from {FIRST} to {LAST}; pairs={count} is more")
    pairs = list[Pair]()
    for day in random.choice(days, size=count, replace=False).tolist():
        date = FIRST + datetime.timedelta(days=day)
        locale, style = known[random.integers(len(known))], STYLES[random.integers(len(STYLES))]
        # Some languages have spaces of other widths between the same words.
        source = unicodedata.normalize("NFKC", format_date(date, style, locale=locale))
        pairs.append(Pair(source, date.isoformat(), date.isoformat()))
    return pairs
