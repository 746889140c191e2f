"""Pictures of cells: a sketch of what is shown, columns, heights and wires, and the drawing."""

from nas_rnn.cells.views.diagram.arranging import arrange
from nas_rnn.cells.views.diagram.drawing import draw
from nas_rnn.cells.views.diagram.layout import Box, Layout, Stroke
from nas_rnn.cells.views.diagram.parts import Link, Part, Sketch
from nas_rnn.cells.views.diagram.sketch import sketch

__all__ = ["Box", "Layout", "Link", "Part", "Sketch", "Stroke", "arrange", "draw", "sketch"]
