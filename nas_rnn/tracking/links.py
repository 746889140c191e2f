"""Addresses of MLflow's pages, and what the table of an experiment's runs shows when opened by them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.tracking.plain_values import markdown_text
from nas_rnn.tracking.quiet import connect, is_http, is_of_network, reason, without_password
from nas_rnn.tracking.store import find_experiment
from nas_rnn.tracking.view import ExperimentView

SHARED_VIEW = "nas-rnn"
# MLflow's pages keep a shared view of the table in a tag of the experiment, and open it by its name.
SHARED_VIEW_TAG = f"mlflow.sharedViewState.{SHARED_VIEW}"


def experiment_url(
    server_url: str, wanted: str | ExperimentView, uri: str, *, sort_by: str = "gap_to_lstm"
) -> str:
    """Return where the server at ``server_url`` shows the runs of an experiment in the store at ``uri``.

    The table comes with the columns and the order that the experiment's Tracker was given, otherwise with the
    usual columns, ascending by the metric ``sort_by``. Raises UserError where there is no such experiment,
    NasRnnError where MLflow cannot say.
    """
    view = ExperimentView(name=wanted) if isinstance(wanted, str) else wanted
    try:
        experiment = find_experiment(connect(uri), view)
    except Exception as error:
        told = f"cannot be read: {reason(error)}"
        if is_http(uri) and is_of_network(error):
            told = "does not answer; start the server there, or unset MLFLOW_TRACKING_URI"
        raise NasRnnError(f"MLflow at {without_password(uri)} {told}") from error
    if experiment is None:
        raise UserError(f"MLflow at {without_password(uri)} has no experiment {view.name!r}")
    # Otherwise the pages open as they are for chat bots.
    query = {"workflowType": "machine_learning"}
    if SHARED_VIEW_TAG in experiment.tags:
        query |= {"viewStateShareKey": SHARED_VIEW}
    else:
        query |= {"orderByKey": f"metrics.`{sort_by}`", "orderByAsc": "true"}
    return f"{server_url.rstrip('/')}/#/experiments/{experiment.experiment_id}/runs?{urlencode(query)}"


def run_link(key: str, text: str, artifact: str = "") -> str:
    """Return a link for a Tracker's note, in markdown: to the page of the run with ``key``, or of one of its artifacts.

    It is plain text as long as there is no such run, and where markdown could not hold its key.
    """
    if re.search(r"[\[\]()|\s]", key):
        return markdown_text(text)
    text = markdown_text(text).replace("[", "&#91;").replace("]", "&#93;")
    return f"[{text}](run:{key}{f'|artifacts/{artifact}' if artifact else ''})"


def with_addresses(note: str, address: Callable[[str], str | None]) -> str:
    """Return ``note`` with the addresses of its `run_link`s; ``address`` gives that of a run's page, by its key."""

    def linked(found: re.Match[str]) -> str:
        place = address(found["key"])
        page = f"/{found['page']}" if found["page"] else ""
        return found["text"] if place is None else f"[{found['text']}]({place}{page})"

    return re.sub(r"\[(?P<text>[^\]]*)\]\(run:(?P<key>[^)|]*)\|?(?P<page>[^)]*)\)", linked, note)


def shared_view(columns: Sequence[str], sort_by: str) -> str:
    """Return the value of ``SHARED_VIEW_TAG``: a table of ``columns``, ascending by the metric ``sort_by``.

    Columns are named as MLflow's filters name them: ``metrics.gap_to_lstm``, ``params.hidden_size``,
    ``tags.verdict``, ``attributes.Created``.
    """
    selected = []
    for column in columns:
        kind, dot, name = column.partition(".")
        if kind not in ("metrics", "params", "tags", "attributes") or not dot:
            raise ValueError(f"a column is metrics.x, params.x, tags.x or attributes.x, not {column!r}")
        selected.append(f"{kind}.`{name}`")
    return json.dumps(
        {
            "searchFilter": "",
            "orderByKey": f"metrics.`{sort_by}`",
            "orderByAsc": True,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "selectedColumns": selected,
            "columnOrder": selected,
        }
    )
