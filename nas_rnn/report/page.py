"""Puts the page together: one HTML file that needs nothing else, and can be read without its one small script."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nas_rnn import __version__
from nas_rnn.comparison import answer_lines, course_lines, scale_lines
from nas_rnn.comparison.budget import HIGH, LOW
from nas_rnn.comparison.checklist import SOURCE
from nas_rnn.comparison.scope import ends
from nas_rnn.comparison.speed_sentences import speed_remark
from nas_rnn.comparison.suite import SuiteComparison
from nas_rnn.report import charts, pictures, tables
from nas_rnn.report.cards import MOST_CARDS, cards
from nas_rnn.report.charts.anytime import random_draws
from nas_rnn.report.charts.learning import MOST
from nas_rnn.report.facts import Report
from nas_rnn.report.figures import count, duration, figure
from nas_rnn.report.inline import drawing
from nas_rnn.report.previews import previews
from nas_rnn.report.tables import SHAPES
from nas_rnn.run_folder.config import SMOKE_WARNING

REPLIES = {"yes": "✓", "partly": "◐", "open": "○", "no": "✕", "not asked": "–"}
"""What stands beside each reply of the checklist."""
KINDS = {"search": "Search", "compare": "Comparison", "ablate": "Ablation"}


def environment() -> Environment:
    """Return what fills the templates. Whatever users wrote, names and texts and reasons, is escaped."""
    made = Environment(
        loader=PackageLoader("nas_rnn.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "coded": coded,
        "duration": duration,
        "figure": figure,
        "count": count,
    }
    return made


def render(report: Report) -> str:
    """Return the page of a search, a comparison or an ablation."""
    script = files("nas_rnn.report").joinpath("templates", "navigate.js").read_text(encoding="utf-8")
    # The page's policy lets no other script run, wherever it might come from.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment().get_template("report.html")
    return page.render(_content(report), script=Markup(script), script_hash=f"sha256-{digest}")


def render_suite(name: str, found: SuiteComparison, lines: Sequence[str], parts: Mapping[str, str]) -> str:
    """Return the page of the suite ``name``; ``parts`` are the names of the parts' comparisons, beside its folder."""
    with drawing():
        chart = charts.suite_gaps(found)
    return (
        environment()
        .get_template("suite.html")
        .render(
            name=name,
            lines=lines,
            chart=chart,
            results=tables.suite(found),
            parts=parts,
            version=__version__,
        )
    )


def coded(text: str) -> Markup:
    """Return ``text`` with what stands in backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def _content(report: Report) -> dict[str, Any]:
    with drawing():
        drawn = {
            "learning": charts.learning_curves(report),
            "anytime": charts.anytime(report),
            "front": charts.front_panels(report),
            "pareto": charts.pareto(report),
            "tuning_chart": charts.tuning(report),
            "flow": pictures.flow_panels(report),
        }
    shown = {
        **drawn,
        "results": tables.results(report),
        "chart": pictures.comparison_chart(report),
        "selection": tables.selection(report),
        "dropped": tables.dropped(report),
        "tuning": tables.tuning(report),
        "two_settings": any(standing.second for standing in report.standings),
        "cards": cards(report),
        "flow_table": tables.flow(report),
        "previews": previews(report.previews),
        "front_table": tables.front(report),
        "costs": tables.costs(report),
        "speed": tables.speed(report),
    }
    return {
        **shown,
        "report": report,
        "kind": KINDS[report.kind],
        "sections": [(id, title) for id, title, there in _sections(report, shown) if there],
        "verdict": _verdict(report),
        "shapes": SHAPES,
        "sample": f"nas-rnn sample {shlex.quote(report.name)}",
        "sentences": [] if report.comparison is None else answer_lines(report.comparison, report.sentence),
        "smoke": f"This is {SMOKE_WARNING}." if report.settings.get("smoke") else "",
        "scale": _beside(report),
        "speed_remark": "" if report.comparison is None else speed_remark(report.comparison),
        "replies": REPLIES,
        "tally": _tally(report),
        "source": SOURCE,
        "facts": _facts(report),
        "left_out": _left_out(report),
        "more_cells": max(0, len(report.cells) - 1 - MOST_CARDS) if report.kind == "compare" else 0,
        "random": len(random_draws(report)),
        "band": (LOW, HIGH),
        "seeds": [run.spec for run in report.of_role("final")],
        "version": __version__,
    }


def _sections(report: Report, shown: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return every section's id and title, and whether there is anything to put into it."""
    cell = {"search": "The cell that was found", "compare": "The cells", "ablate": "The whole cell"}[
        report.kind
    ]
    return [
        ("results", "Results", shown["results"] is not None),
        ("learning", "Learning curves", bool(shown["learning"])),
        ("speed", "Learning speed", shown["speed"] is not None),
        ("cells", cell, bool(shown["cards"])),
        ("preview", "What the model does", bool(shown["previews"])),
        ("flow", "Gradient flow", bool(shown["flow"])),
        ("search", "The search over its budget", bool(shown["anytime"]) or bool(report.draws)),
        ("front", "The front", shown["front_table"] is not None),
        ("pareto", "Quality and cost", bool(shown["pareto"])),
        ("tuning", "Tuning", shown["tuning"] is not None),
        ("costs", "Costs", bool(shown["costs"])),
        ("checklist", "Checklist", bool(report.checklist)),
        ("again", "Reproduce it", True),
    ]


def _beside(report: Report) -> list[str]:
    """Return the sentences below the table of results."""
    if report.comparison is None:
        return []
    return [*scale_lines(report.comparison), *course_lines(report.comparison)]


def _verdict(report: Report) -> str:
    """Return the one word for the whole, where there is one."""
    if report.comparison is None or report.kind == "ablate" or len(report.comparison.contenders) != 1:
        return ""
    return report.comparison.contenders[0].verdict


def _tally(report: Report) -> str:
    """Say how many practices got which reply."""
    found = {reply: sum(answer.reply == reply for answer in report.checklist) for reply in REPLIES}
    return ", ".join(f"{number} {reply}" for reply, number in found.items() if number)


def _facts(report: Report) -> list[tuple[str, str]]:
    """Return the few figures under the verdict."""
    facts = [("task", report.task), ("measured in", report.metric.unit)]
    if report.kind == "search":
        tried = count(len(report.draws), "candidate")
        facts.append(("search", f"{tried} of {report.settings.get('space')}, {report.strategy}"))
    if report.comparison is not None:
        baseline = report.comparison.baseline
        facts.append(("size", f"{baseline.parameters:,} parameters"))
        facts.append(("final", f"{count(len(baseline.seeds), 'paired seed')}"))
        if told := ends(report.standings):
            facts.append(("final runs", told))
    tuned = report.tuning_runs().values()
    if tuned:
        least = "" if min(tuned) == max(tuned) else f"{min(tuned)} to "
        facts.append(("tuning", f"{least}{count(max(tuned), 'run')} per cell"))
    elif report.comparison is not None:
        facts.append(("tuning", "none"))
    total = sum(part.seconds for part in report.parts)
    if total:
        facts.append(("training", duration(total)))
    return facts


def _left_out(report: Report) -> int:
    """Return how many cells have no learning curve, because there are too many."""
    return max(0, len(report.standings) - MOST)
