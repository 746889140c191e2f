"""From a run folder to MLflow and to the report: views that can be rebuilt at any time."""
