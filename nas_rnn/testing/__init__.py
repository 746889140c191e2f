"""For authors of plugins: what each kind must keep, `nas-rnn check`, and files to begin with.

``assert check_task(MyTask) == []`` (`check_space`, `check_strategy`) in a test of their own says what is wrong.
"""

from importlib import import_module
from typing import Any

__all__ = ["check_space", "check_strategy", "check_task"]

_HOMES = {"check_space": "spaces", "check_strategy": "strategies", "check_task": "tasks"}


def __getattr__(name: str) -> Any:
    """Import each check only when it is asked for: that of tasks needs torch, which takes over a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
