"""From a run folder to MLflow and to the report: views that can be made anew at any time."""
