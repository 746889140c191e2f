"""Records many commits, each in a git worktree of its own for that time, and says which changed what."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from unchanged.comparing import compare, report
from unchanged.reading import NothingFound
from unchanged.records import make_record, read_record, runs_of, write_record
from unchanged.running import Checkout, RunFailed

IDLE = ("docs", "tests", "benchmarks", "*.md", ".ci", "Makefile")
"""What no search reads: a commit that changes nothing else has the record of the one before."""
SHOWN = 12


class GitFailed(Exception):
    """Git refused; the message is its own."""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GitFailed(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def commits(folder: Path, revisions: Sequence[str], every: int = 1) -> list[str]:
    """Return the commits that ``revisions`` name, the oldest of each range first.

    A range BASE..HEAD stands for BASE, every so many-th of the commits after it by first parents, and HEAD.
    """
    found: list[str] = []
    for revision in revisions:
        base, dots, head = revision.partition("..")
        if dots:
            listed = git(
                folder, "rev-list", "--reverse", "--first-parent", f"{base}..{head or 'HEAD'}"
            ).split()
            found += [
                git(folder, "rev-parse", f"{base}^{{commit}}"),
                *listed[every - 1 :: every],
                *listed[-1:],
            ]
        else:
            found.append(git(folder, "rev-parse", f"{revision}^{{commit}}"))
    return list(dict.fromkeys(found))


@contextmanager
def worktree(folder: Path, commit: str) -> Iterator[Path]:
    """Check ``commit`` out beside the repository for the time of the block."""
    place = Path(tempfile.mkdtemp(prefix="golden-commit-"))
    git(folder, "worktree", "add", "--quiet", "--force", "--detach", str(place), commit)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        git(folder, "worktree", "prune")


def record_all(
    repository: Path,
    chosen: Sequence[str],
    folder: Path,
    python: str,
    *,
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> None:
    """Record each commit in ``folder`` as COMMIT.json where it has no record there yet.

    What a commit prints that cannot be recorded goes to COMMIT.failed; it is tried again the next time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before: str | None = None
    for commit in chosen:
        kept, failed = place_of(folder, commit), folder / f"{commit}.failed"
        if kept.exists():
            say(f"{commit[:10]}: recorded already")
        elif before and place_of(folder, before).exists() and not touches_code(repository, before, commit):
            shutil.copyfile(place_of(folder, before), kept)
            say(f"{commit[:10]}: changes nothing that a search reads")
        else:
            say(f"{commit[:10]}: being recorded")
            try:
                with worktree(repository, commit) as checkout:
                    write_record(kept, make_record(Checkout(checkout, python), jobs=jobs, say=say))
                failed.unlink(missing_ok=True)
            except (RunFailed, NothingFound) as error:
                failed.write_text(f"{error}\n", encoding="utf-8")
                say(f"{commit[:10]}: cannot be recorded: {error}")
        before = commit


def place_of(folder: Path, commit: str) -> Path:
    """Return where the record of a commit lies."""
    return folder / f"{commit}.json"


def touches_code(repository: Path, old: str, new: str) -> bool:
    """Whether anything differs between two commits that a search might read."""
    return bool(git(repository, "diff", "--name-only", old, new, "--", ".", *(f":!{name}" for name in IDLE)))


def tell(repository: Path, chosen: Sequence[str], folder: Path) -> Iterator[str]:
    """Yield what each commit changed against the last one before it that has a record."""
    before: str | None = None
    for commit in chosen:
        title = git(repository, "log", "-1", "--format=%h %s", commit)
        if not place_of(folder, commit).exists():
            yield f"{title}\n    no record: {folder / f'{commit}.failed'} says why"
            continue
        if before is None:
            yield f"{title}\n    the first"
        else:
            old, new = (runs_of(read_record(place_of(folder, each))) for each in (before, commit))
            lines = report(compare(old, new), most=SHOWN)
            yield "\n    ".join([title, *lines])
        before = commit
