"""Pictures of cells: a sketch of what is shown, columns, heights and wires, and the drawing."""

from nas_rnn.cells.diagram.arranging import arrange
from nas_rnn.cells.diagram.drawing import draw
from nas_rnn.cells.diagram.layout import Box, Layout, Stroke
from nas_rnn.cells.diagram.parts import Link, Part, Sketch
from nas_rnn.cells.diagram.sketch import sketch

__all__ = ["Box", "Layout", "Link", "Part", "Sketch", "Stroke", "arrange", "draw", "sketch"]
