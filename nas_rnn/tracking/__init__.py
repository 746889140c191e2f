"""The MLflow view of a search: a picture in plain values, which can be drawn again from the run folder.

MLflow itself is imported only when something is written or served, so importing this package costs nothing.
"""

from nas_rnn.tracking.links import experiment_url, run_link
from nas_rnn.tracking.plain_values import fenced, markdown_text
from nas_rnn.tracking.server import serve
from nas_rnn.tracking.store import check_uri, default_uri
from nas_rnn.tracking.tracker import Tracker
from nas_rnn.tracking.view import DatasetView, ExperimentView, ModelView, Point, RunView

__all__ = [
    "DatasetView",
    "ExperimentView",
    "ModelView",
    "Point",
    "RunView",
    "Tracker",
    "check_uri",
    "default_uri",
    "experiment_url",
    "fenced",
    "markdown_text",
    "run_link",
    "serve",
]
