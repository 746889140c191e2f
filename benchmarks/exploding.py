"""Gradients that explode and gradients that vanish, on the adding problem: docs/exploding.png, in seconds.

    python benchmarks/exploding.py
    python benchmarks/exploding.py --steps 300 --length 100 --out exploding.png

A vanilla rnn whose recurrent matrix starts at `GAIN` times an orthogonal one, Q, is trained by plain gradient descent
on sums of two marked numbers, once as it is and once with the gradient cut to a norm of `CLIP`; beside it one that
starts as it does by itself, and an LSTM, both clipped. Adam would hide what is shown: it divides by how large gradients
have been. The picture has the norm of the gradient over the steps of training (before it is cut), the loss, and the
largest singular values of the Jacobians at the start.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas_rnn import RNN, load_cell
from nas_rnn.execution.jacobians import back_from_the_end, largest_singular_values, step_jacobians
from nas_rnn.tasks.figures import INK, new_figure, png
from nas_rnn.tasks.memory.batching import batch_of
from nas_rnn.tasks.memory.classic import adding
from nas_rnn.tasks.memory.figures import draw_norms
from nas_rnn.tasks.memory.model import Rememberer
from nas_rnn.tasks.memory.net import ProbeNet

GAIN, CLIP = 1.5, 1.0
HIDDEN, BATCH = 32, 32


@dataclass(frozen=True)
class Run:
    """One way to train: the cell, the norm that gradients are cut to (0: never), and the learning rate.

    A recurrent matrix starts at ``gain`` times an orthogonal one, with 0 as the cell starts by itself.
    """

    name: str
    cell: str
    colour: str
    clip: float
    gain: float = 0.0
    rate: float = 0.1


@dataclass
class Course:
    """What became of it by step of training, and its Jacobians by time step at the start."""

    norms: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    one: np.ndarray = field(default_factory=lambda: np.zeros(0))
    back: np.ndarray = field(default_factory=lambda: np.zeros(0))


RUNS = (
    Run(f"rnn from {GAIN:g} Q, not clipped", "rnn", "#c0392b", 0.0, GAIN),
    Run(f"the same, clipped to {CLIP:g}", "rnn", "#2a6fb0", CLIP, GAIN),
    Run("rnn as it starts by itself, clipped", "rnn", "#b8860b", CLIP),
    Run("LSTM, clipped", "lstm", "#2e8b57", CLIP),
)


def trained(run: Run, *, length: int, steps: int) -> Course:
    """Train one net on series of ``length``, every batch drawn anew, and return its course."""
    torch.manual_seed(0)
    random, course = np.random.default_rng(0), Course()
    net = ProbeNet(lambda size: RNN(load_cell(run.cell), size, HIDDEN), symbols=0, numbers=2, outputs=1)
    if run.gain:
        nn.init.orthogonal_(net.rnn.weight_hh_l0, gain=run.gain)
    x_TI = torch.from_numpy(adding(np.random.default_rng(1), np.array([length])).inputs[0])
    jacobians_TDD = step_jacobians(net.rnn, x_TI)
    course.one = largest_singular_values(jacobians_TDD).numpy()
    course.back = back_from_the_end(jacobians_TDD).numpy()
    model = Rememberer(net, numbers=True, lengths=[length]).train()
    for _ in range(steps):
        batch = batch_of(adding(random, np.full(BATCH, length)))
        model.zero_grad()
        loss = model.loss(batch, None)[0].total
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), run.clip or torch.inf)
        course.norms.append(float(norm))
        course.losses.append(float(loss.detach()))
        if not np.isfinite(course.norms[-1]):
            break  # the next step would leave weights that are no numbers
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= run.rate * parameter.grad
    return course


def picture(courses: dict[Run, Course]) -> bytes:
    """Return the four panels as a PNG file's bytes."""
    figure = new_figure(6.4, 9.0)
    (norm, loss), (one, back) = figure.subplots(2, 2)
    for run, course in courses.items():
        steps, times = np.arange(1, len(course.norms) + 1), np.arange(2, len(course.one) + 2)
        draw_norms(norm, steps, np.array(course.norms), run.colour)
        draw_norms(loss, steps, np.array(course.losses), run.colour, run.name)
        if run.clip:  # without clipping it starts as with it
            draw_norms(one, times, course.one, run.colour)
            draw_norms(back, times, course.back, run.colour)
    loss.axhline(1 / 6, color=INK, linewidth=0.8, linestyle="--")
    one.set_yscale("linear")
    loss.set_ylim(0.05, 1e4)
    loss.legend(fontsize=8, frameon=False)
    titles = (
        (norm, "Norm of the gradient, before it is cut", "step of training"),
        (loss, "Squared error (dashed: 1/6, the mean)", "step of training"),
        (one, "At the start: each step's Jacobian", "time step"),
        (back, "... and their product back from the end", "time step"),
    )
    for axes, title, below in titles:
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_xlabel(below, fontsize=9)
    return png(figure)


def main() -> None:
    """Train, tell, and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("docs/exploding.png"))
    asked = parser.parse_args()
    courses = dict[Run, Course]()
    for run in RUNS:
        began = time.process_time()
        courses[run] = course = trained(run, length=asked.length, steps=asked.steps)
        norms = np.array(course.norms)
        print(
            f"{run.name}: {len(norms)} steps, {time.process_time() - began:.0f} s of one core; gradient norm median "
            f"{np.median(norms):.3g}, largest {norms.max():.3g}; squared error of the last 50 steps "
            f"{np.mean(course.losses[-50:]):.3g}; Jacobian {np.median(course.one):.3g} a step, "
            f"{course.back[0]:.3g} over all"
        )
    asked.out.write_bytes(picture(courses))
    print(f"written: {asked.out}")


if __name__ == "__main__":
    main()
