"""The report: one page that says what a search, a comparison or an ablation found, and how far it can be trusted.

``facts`` is what it is made from, ``charts`` and ``pictures`` draw, ``tables`` and ``cards`` put into words, ``inline``
makes pictures parts of a page in the page's own colours, ``page`` puts all together.
"""

from nas_rnn.report.facts import Draw, Part, Report, Run
from nas_rnn.report.page import render, render_suite

__all__ = ["Draw", "Part", "Report", "Run", "render", "render_suite"]
