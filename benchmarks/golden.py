"""Shows whether a change of the code changed a result: runs small searches and comparisons, and keeps every number.

    python benchmarks/golden.py record before.json
    python benchmarks/golden.py record after.json --checkout ../other --python ../other/.venv/bin/python
    python benchmarks/golden.py compare before.json after.json
    python benchmarks/golden.py compare before.json after.json --tolerance 1e-6
    python benchmarks/golden.py history v1..HEAD --every 5 --folder records

``record`` takes some three minutes. It runs the command line of a checkout, so it works across any change inside the
package, and keeps of each run's folder the numbers of every epoch, a hash of every tensor, every number of the answer
and the words of its verdicts; no times, and no other words. Everything is seeded and runs on one thread of the
processor: on one machine with the same libraries two records of the same code are equal to the last bit. Two
machines need not agree, so records are not kept with the code.

``compare`` lists each entry that differs; what is there under another name with the same value counts as renamed,
which is no difference. It ends with exit code 1 where something differs. With ``--tolerance`` a change of rounding is
let through: the losses after the first epoch have to be that near, relatively, and the verdicts the same.

``history`` records commits, each in a worktree of its own, and says which changed what against the one before. It
goes on from the records that lie in the folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from unchanged.comparing import compare, report
from unchanged.history import GitFailed, commits, record_all, tell
from unchanged.reading import NothingFound
from unchanged.records import Unreadable, make_record, read_record, runs_of, write_record
from unchanged.running import RUNS, Checkout, RunFailed

HERE = Path(__file__).resolve().parents[1]
SAME, DIFFERENT, MISTAKE = 0, 1, 2


def say(line: str) -> None:
    print(line, flush=True)


def record_command(given: argparse.Namespace) -> int:
    checkout = Checkout(given.checkout, given.python)
    if not (checkout.folder / "pyproject.toml").is_file():
        say(f"--checkout takes a folder with the project's pyproject.toml; {checkout.folder} has none")
        return MISTAKE
    write_record(given.out, make_record(checkout, jobs=given.jobs, names=tuple(given.only or RUNS), say=say))
    return SAME


def compare_command(given: argparse.Namespace) -> int:
    old, new = read_record(given.old), read_record(given.new)
    if old.get("machine") != new.get("machine"):
        say(f"made on different machines: {old.get('machine')} and {new.get('machine')}")
    outcome = compare(runs_of(old), runs_of(new))
    for line in report(outcome, given.tolerance):
        say(line)
    return SAME if outcome.is_within(given.tolerance) else DIFFERENT


def history_command(given: argparse.Namespace) -> int:
    chosen = commits(given.repository, given.revisions, given.every)
    record_all(given.repository, chosen, given.folder, given.python, jobs=given.jobs, say=say)
    for lines in tell(given.repository, chosen, given.folder):
        say(lines)
    return SAME


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    recording = argparse.ArgumentParser(add_help=False)
    recording.add_argument(
        "--python", default=sys.executable, help="that has the libraries; default: this one"
    )
    recording.add_argument("--jobs", type=int, default=1, help="commands run at once; default: 1")

    record = commands.add_parser("record", parents=[recording], help="run everything and keep what came out")
    record.add_argument("out", type=Path)
    record.add_argument("--checkout", type=Path, default=HERE, help="default: the one of this file")
    record.add_argument("--only", action="append", choices=RUNS, help="one of the runs; repeatable")
    record.set_defaults(command=record_command)

    compared = commands.add_parser("compare", help="list what differs between two records")
    compared.add_argument("old", type=Path)
    compared.add_argument("new", type=Path)
    compared.add_argument("--tolerance", type=float, help="of the losses after the first epoch, relatively")
    compared.set_defaults(command=compare_command)

    history = commands.add_parser("history", parents=[recording], help="record commits, and compare each")
    history.add_argument("revisions", nargs="+", help="commits, or ranges BASE..HEAD")
    history.add_argument("--every", type=int, default=1, help="take only every so many-th commit of a range")
    history.add_argument("--folder", type=Path, required=True, help="where the records are kept")
    history.add_argument("--repository", type=Path, default=HERE, help="default: the one of this file")
    history.set_defaults(command=history_command)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    try:
        code: int = given.command(given)
    except (Unreadable, GitFailed) as error:
        say(str(error))
        return MISTAKE
    except (RunFailed, NothingFound) as error:
        say(str(error))
        return DIFFERENT
    return code


if __name__ == "__main__":
    sys.exit(main())
