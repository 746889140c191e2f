"""What tests of the fused backend share."""

from __future__ import annotations

from typing import Any

import pytest

from nas_rnn.execution import backends
from nas_rnn.execution.fused import operator


@pytest.fixture
def no_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anything goes to the eager backend."""

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("the eager backend was called")

    monkeypatch.setitem(backends.BACKENDS, "eager", refuse)
    monkeypatch.setattr(operator, "run_eager", refuse)
