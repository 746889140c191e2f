"""Tasks: data, input and output layers, loss, metric, direction and equivalence margin; one file a task."""

from nas_rnn.tasks.base import Metric, Option, Part, Task, TaskData
from nas_rnn.tasks.meta import check_meta

__all__ = ["Metric", "Option", "Part", "Task", "TaskData", "check_meta"]
