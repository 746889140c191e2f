"""The equations of a cell as a paper prints them: in Unicode for a terminal, and in LaTeX.

    iₜ = σ(W_i xₜ + U_i hₜ₋₁ + b_i)
    cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ

W multiplies the input, U the first other argument of a `linear`, V every further one; b is a bias, p the
weights of a `diagonal`, P a `project`, LN a `layer_norm`, and learned numbers are Greek letters. Where one
equation has several of a letter they are numbered. A next state bears its path's name, whatever the local
name was. What the symbols do not say (where biases, states and learned numbers start, heads, sizes) stands at
the right margin.
"""

from nas_rnn.cells.equations.notation import Plain
from nas_rnn.cells.equations.writer import (
    Writer,
    latex_equations,
    plain_equations,
    plain_lines,
    value_text,
)

__all__ = ["Plain", "Writer", "latex_equations", "plain_equations", "plain_lines", "value_text"]
