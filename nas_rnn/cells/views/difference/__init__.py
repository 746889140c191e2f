"""What differs between two cells: which parts correspond, in equations and in words."""

from nas_rnn.cells.views.difference.comparing import Difference, difference
from nas_rnn.cells.views.difference.matching import Matching, match
from nas_rnn.cells.views.difference.parts import Gate, Parts

__all__ = ["Difference", "Gate", "Matching", "Parts", "difference", "match"]
