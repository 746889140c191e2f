"""A task's options: names, types and ranges are checked, and a mistake says what would have worked."""

import pytest

from nas_rnn.errors import UserError
from nas_rnn.tasks.char_lm import CharLM


def test_defaults_and_given_values() -> None:
    assert dict(CharLM().options) == {"embedding": 0, "valid": 0.1, "test": 0.1}
    assert CharLM(embedding=16).options["embedding"] == 16


def test_an_unknown_option_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match="'embeding'; did you mean 'embedding'"):
        CharLM(embeding=16)


@pytest.mark.parametrize("value", [16.0, "16", True])
def test_another_type_than_the_default(value: float | str | bool) -> None:
    with pytest.raises(UserError, match="must be of type int, for example 0; got"):
        CharLM(embedding=value)


def test_out_of_range() -> None:
    with pytest.raises(UserError, match="must lie between 0 and 65536; got -1"):
        CharLM(embedding=-1)
