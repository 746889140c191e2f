"""Search spaces: open choices, the decisions that close them, and the candidates they give. No torch here."""

from nas_rnn.spaces.choices import Choice, Decisions, Label, Pick, SpaceError
from nas_rnn.spaces.constrained import Infeasible, MutableSpace, Rejected, Rejections, constrained
from nas_rnn.spaces.constraints import Constraints, parse_constraints
from nas_rnn.spaces.finite import FiniteSpace
from nas_rnn.spaces.recipe_export import recipe_from_cell
from nas_rnn.spaces.recipes import (
    Recipe,
    StoredRecipe,
    cell_from_recipe,
    load_recipe,
    load_recipes,
    names_recipe,
)
from nas_rnn.spaces.space import Candidate, DecisionSpace, Space, search_space

__all__ = [
    "Candidate",
    "Choice",
    "Constraints",
    "DecisionSpace",
    "Decisions",
    "FiniteSpace",
    "Infeasible",
    "Label",
    "MutableSpace",
    "Pick",
    "Recipe",
    "Rejected",
    "Rejections",
    "Space",
    "SpaceError",
    "StoredRecipe",
    "cell_from_recipe",
    "constrained",
    "load_recipe",
    "load_recipes",
    "names_recipe",
    "parse_constraints",
    "recipe_from_cell",
    "search_space",
]
