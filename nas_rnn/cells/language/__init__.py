"""From a function or a text to a graph."""
