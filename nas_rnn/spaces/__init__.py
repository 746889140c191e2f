"""Search spaces: open choices, the decisions that close them, and the candidates they give. No torch here."""

from nas_rnn.spaces.choices import Choice, Decisions, Label, Pick, SpaceError
from nas_rnn.spaces.space import Candidate, DecisionSpace, Space, search_space

__all__ = [
    "Candidate",
    "Choice",
    "DecisionSpace",
    "Decisions",
    "Label",
    "Pick",
    "Space",
    "SpaceError",
    "search_space",
]
