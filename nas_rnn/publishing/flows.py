"""The gradient flow that was kept with a search or comparison, under the titles that pictures give it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader

if TYPE_CHECKING:  # loads torch
    from nas_rnn.training.flow import GradientFlow

FlowsByModel = list[tuple[str, list["GradientFlow"]]]


def measured_flows(folder: RunFolder, without: Collection[str] = ()) -> FlowsByModel:
    """Return the models whose flow was kept with a search or comparison, each under its title."""
    from nas_rnn.training.flow import GradientFlow

    shown = [row for row in RunReader(folder).flows() if row["name"] not in without]
    return titled([(row["name"], [GradientFlow.from_dict(flow) for flow in row["flows"]]) for row in shown])


def titled(models: FlowsByModel) -> FlowsByModel:
    """Return the models under titles that say how often training clipped."""
    found: FlowsByModel = []
    for name, flows in models:
        shares = [flow.clipped_share for flow in flows if flow.clipped_share is not None and flow.clip]
        short = name if len(name) <= 28 else name[:27] + "…"
        found.append((f"{short}: {shares[0]:.0%} of steps clipped" if shares else short, flows))
    return found
