"""Small searches for tests: a short text, small models, and a search as a process that can be killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

TINY_RUNS = {"epochs": 2, "params": 2500, "seeds": 2, "batch": 8, "length": 16, "workers": 2, "seed": 1}
"""Options of runs whose epochs take a fraction of a second."""
TINY = {**TINY_RUNS, "tune": 0, "controls": "none", "reference": "none", "strategy": "random"}
"""Options of a search of such runs, and of no others than trials, selection and final."""


def write_text(path: Path, words: int = 1500) -> Path:
    """Write a text with some structure: random words of a small vocabulary."""
    rng = random.Random(0)
    vocabulary = [
        "the",
        "cell",
        "gate",
        "opens",
        "and",
        "then",
        "closes",
        "again",
        "while",
        "time",
        "goes",
        "by",
    ]
    path.write_text(" ".join(rng.choice(vocabulary) for _ in range(words)) + "\n", encoding="utf-8")
    return path


def search_process(code: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a Python process that runs ``code``; its output comes line by line."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def killed_and_resumed(place: Path, begin: str, resume: str, moment: str) -> None:
    """Run ``begin`` in ``place`` until it prints ``moment``, kill it there, and run ``resume`` until "COMPLETE"."""
    for program, last in ((begin, moment), (resume, "COMPLETE")):
        process = search_process(program, place)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(last):
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait(60)
        assert lines and lines[-1].startswith(last), lines
