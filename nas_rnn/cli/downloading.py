"""``nas-rnn download``: bring a standard data set, after saying under which licence it comes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import command, say
from nas_rnn.cli.parsing import path

Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A data set; without it, all that there are.", show_default=False),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="FOLDER",
        help="Folder to keep it in. Default: data/NAME.",
        parser=path,
        show_default=False,
    ),
]


@command
def download(
    name: Name = None,
    to: To = None,
    plugins: o.Plugins = None,
    debug: o.Debug = False,
) -> None:
    """Bring a standard data set of a task, or list those that there are."""
    from nas_rnn.catalogue.downloads import bring, find_offer, offers
    from nas_rnn.cli.output import console, emit
    from nas_rnn.cli.tables import print_rows

    if plugins:
        from nas_rnn.plugins import use_folders

        use_folders(plugins)
    if name is None:
        rows = [offer.row for offer in offers()]
        if rows:
            print_rows(console(), rows)
        else:
            say("No known task has data sets to download.")
        return
    offer = find_offer(name)
    emit(f"{offer.download.summary}\nLicence: {offer.download.licence}\nSource: {offer.download.source}")
    folder = to or Path("data") / name
    brought = bring(offer.download, folder, on_file=lambda remote: emit(f"Fetching {remote.url}"))
    emit(
        f"\nIt is in {folder}. Use it:\n"
        + "\n".join(
            f"  nas-rnn search --task {task} --data {shlex.quote(str(brought.data))}" for task in offer.tasks
        )
    )
