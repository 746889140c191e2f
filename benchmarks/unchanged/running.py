"""Runs the command line of any checkout, with that checkout's code and plugins, also in Ray's workers.

Nothing of the package is imported here: what the program is called, where its function lies and which plugins come
with it is read from the checkout's ``pyproject.toml``.
"""

from __future__ import annotations

import os
import random
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TEXT_CHARACTERS = 12_000
_WORDS = ("the", "cell", "gate", "opens", "and", "then", "closes", "again", "while",
          "time", "goes", "by,", "so", "that;", "Old:", "values?", "stay\n", "here!")  # fmt: skip
_TEXT = ("--task", "char-lm", "--data", "{text}", "--batch", "8", "--length", "16")
_DIGITS = ("--task", "glimpses", "--batch", "32")
_ALL = ("--device", "cpu", "--threads", "1", "--workers", "1")
_SEARCH = ("--scheduler", "none", "--space", "gated")

RUNS: dict[str, tuple[str, ...]] = {
    "text-search": ("search", *_TEXT, *_SEARCH, "--strategy", "random", "--trials", "4", "--epochs", "2",
                    "--params", "2500", "--tune", "2", "--seeds", "2", "--controls", "all", "--seed", "3"),
    "text-compare": ("compare", "gru", *_TEXT, "--epochs", "1", "--params", "4000", "--layers", "2",
                     "--dropout", "0.1", "--tune", "9", "--seeds", "2", "--seed", "5"),
    "digits-search": ("search", *_DIGITS, *_SEARCH, "--strategy", "evolution", "--trials", "12", "--epochs", "1",
                      "--params", "1500", "--tune", "0", "--seeds", "2", "--controls", "all", "--seed", "7",
                      "--backend", "eager"),
    "digits-compare": ("compare", "gru", "lstm_peephole", *_DIGITS, "--epochs", "2", "--params", "2500",
                       "--tune", "0", "--seeds", "3", "--seed", "11"),
    "embedded-compare": ("compare", "gru", "--task", "char-lm", "--batch", "64", "--length", "64", "--epochs", "1",
                         "--params", "8000", "--tune", "0", "--seeds", "2", "--seed", "13"),
}  # fmt: skip
"""What is run, by name. All parts of a search are in one of them: trials, selection, tuning with proposals that
learn from earlier ones, both controls, the final; all tasks, and the fused backend as well as the eager one."""


class RunFailed(Exception):
    """A command ended with the exit code ``code``, not 0; the message has the end of what it printed."""

    def __init__(self, name: str, code: int, printed: str) -> None:
        super().__init__(f"{name}: exit code {code}: {printed.strip()[-1500:]}")
        self.code = code


@dataclass(frozen=True)
class Checkout:
    """A folder with the project's source, and the Python that has the libraries it needs."""

    folder: Path
    python: str

    @property
    def project(self) -> dict[str, object]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def main(self) -> tuple[str, str]:
        """Return the module and the function of the program."""
        scripts = self.project["scripts"]
        assert isinstance(scripts, dict)
        module, _, function = next(iter(scripts.values())).partition(":")
        return module, function

    def write_metadata(self, folder: Path) -> None:
        """Write what an installation would know of the checkout.

        On ``PYTHONPATH`` it stands before what is installed under the same name, and the first counts.
        """
        project = self.project
        groups = {"console_scripts": project["scripts"], **project.get("entry-points", {})}  # type: ignore[dict-item]
        lines = []
        for group, entries in groups.items():
            assert isinstance(entries, dict)
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
        version = project.get("version", "0")  # stands in the code where the project says that it is dynamic
        about = folder / f"{project['name']}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        facts = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
        (about / "METADATA").write_text(facts, encoding="utf-8")

    def code(self) -> str:
        """Return what Python runs: the program, after a look at whose code it is."""
        module, function = self.main()
        return (
            "import sys\n"
            f"import {module.partition('.')[0]} as package\n"
            f"if not package.__file__.startswith({str(self.folder.resolve()) + os.sep!r}):\n"
            "    sys.exit(f'the code is that of {package.__file__}')\n"
            f"from {module} import {function} as main\n"
            "sys.argv[0] = 'golden'\n"
            "sys.exit(main())\n"
        )


def write_text(path: Path) -> None:
    """Write the text that is learned from: words of a small vocabulary in a fixed order, some more often."""
    rng = random.Random(0)
    text = ""
    while len(text) < TEXT_CHARACTERS:
        text += _WORDS[int(rng.random() ** 2 * len(_WORDS))] + " "
    path.write_text(text[:TEXT_CHARACTERS], encoding="utf-8")


def run(checkout: Checkout, arguments: Sequence[str], name: str, folder: Path) -> Path:
    """Run one command in the new ``folder`` and return the one that it leaves; `RunFailed` where it fails."""
    about, text, runs = folder / "metadata", folder / "text.txt", folder / "runs"
    checkout.write_metadata(about)
    write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(about), str(checkout.folder.resolve())])}
    for variable in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "NAS_RNN_RUNS"):
        environment.pop(variable, None)
    given = [argument.format(text=text) for argument in arguments]
    done = subprocess.run(
        [checkout.python, "-c", checkout.code(), *given, *_ALL, "--name", name, "--runs", str(runs)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RunFailed(name, done.returncode, done.stdout)
    return runs / name
