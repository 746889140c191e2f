"""Addresses of MLflow's pages."""

from __future__ import annotations

from urllib.parse import urlencode

from nas_rnn.tracking.quiet import connect
def experiment_url(server_url: str, experiment_name: str, uri: str, *, sort_by: str = "gap_to_lstm") -> str:
    client = connect(uri)
    experiment = client.get_experiment_by_name(experiment_name)
    return f"{server_url}/#/experiments/{experiment.experiment_id}/runs"
