"""One-shot search: one supernet, whose weights stand for those of all cells of a chain space, ranks the cells.

`nas_rnn.oneshot.plan` says what a supernet's run is told, without torch; `nas_rnn.oneshot.trainer` trains it.
"""

from nas_rnn.oneshot.plan import Ranked, Ranking, SupernetPlan

__all__ = ["Ranked", "Ranking", "SupernetPlan"]
