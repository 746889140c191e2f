"""Two that begin at once under one folder of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_rnn.errors import NasRnnError
from nas_rnn.run_folder.layout import RunFolder, _next_free


def test_each_that_was_given_no_name_has_one_of_its_own(tmp_path: Path) -> None:
    """A name is taken when it is chosen, before the other one can look."""
    first, second = _next_free(tmp_path, "gated"), _next_free(tmp_path, "gated")
    assert [first.name, second.name] == ["gated-1", "gated-2"]
    third = RunFolder.create(tmp_path, None, "gated")
    third.release()
    assert third.name == "gated-3" and third.trials.is_dir()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(NasRnnError, match="cannot write in"):
        _next_free(tmp_path / "missing", "gated")
