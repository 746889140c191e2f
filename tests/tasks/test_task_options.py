"""A task's options: names, types and ranges are checked, and a mistake says what would have worked."""

from dataclasses import FrozenInstanceError, asdict, dataclass

import pytest

from nas_rnn.errors import UserError
from nas_rnn.tasks import option
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.options import NoOptions, option_fields, picked, read_options, typed


def test_defaults_and_given_values() -> None:
    assert asdict(CharLM().options) == {"embedding": 0, "valid": 0.1, "test": 0.1, "characters": 0, "places": 0}
    assert CharLM(embedding=16).options.embedding == 16
    with pytest.raises(FrozenInstanceError):
        CharLM().options.embedding = 3


def test_a_task_without_options_has_none() -> None:
    assert read_options(NoOptions, {}, "plain") == NoOptions()
    with pytest.raises(UserError, match="unknown option of task 'plain': 'size'"):
        read_options(NoOptions, {"size": 1}, "plain")


def test_a_whole_number_does_for_a_fraction_and_nothing_does_for_a_truth_value() -> None:
    assert CharLM(valid=0.05).options.valid == 0.05
    with pytest.raises(UserError, match=r"must lie between 0\.01 and 0\.4; got 1"):
        CharLM(valid=1)
    assert read_options(Chosen, {"share": 1, "shuffle": True}, "chosen").share == 1
    for value in (1, "yes"):
        with pytest.raises(
            UserError, match=f"'shuffle' of task 'chosen' must be of type bool, .*got {value!r}"
        ):
            read_options(Chosen, {"shuffle": value}, "chosen")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    sign: str = option("plus", "which sign", choices=("plus", "minus"))
    share: float = option(0.5, low=0.0)
    shuffle: bool = option(False, "whether to")


def test_a_choice_is_one_of_the_words() -> None:
    assert read_options(Chosen, {"sign": "minus"}, "good").sign == "minus"
    with pytest.raises(UserError, match="unknown sign of task 'good': 'minos'; did you mean 'minus'"):
        read_options(Chosen, {"sign": "minos"}, "good")


def test_a_bound_on_one_side_alone() -> None:
    assert read_options(Chosen, {"share": 1e30}, "good").share == 1e30
    with pytest.raises(UserError, match=r"must lie between 0 and inf; got -0\.1"):
        read_options(Chosen, {"share": -0.1}, "good")
    with pytest.raises(UserError, match="must lie between 0 and inf; got nan"):
        read_options(Chosen, {"share": float("nan")}, "good")


def test_options_are_described_by_their_fields() -> None:
    known = option_fields(Chosen)
    assert list(known) == ["sign", "share", "shuffle"]
    assert known["sign"].metadata["help"] == "which sign"
    assert known["sign"].metadata["choices"] == ("plus", "minus")
    assert known["share"].metadata["low"] == 0.0


def test_options_that_are_no_dataclass_with_plain_defaults_are_a_fault_of_the_task() -> None:
    class Bare:
        size = 1

    @dataclass
    class Required:
        size: int

    @dataclass
    class Odd:
        size: object = None

    with pytest.raises(TypeError, match=r"Options must be a dataclass, not .*Bare"):
        option_fields(Bare)
    for kind in (Required, Odd):
        with pytest.raises(
            TypeError, match="option 'size' needs a default that is a number, a text, or True"
        ):
            option_fields(kind)


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


def test_options_of_these_names_are_picked() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Reading:
        time: str
        rows: int = 0

    @dataclass(frozen=True, kw_only=True)
    class Own:
        horizon: int = option(24)
        rows: int = option(5)
        time: str = option("when")

    assert picked(Reading, Own()) == Reading(time="when", rows=5)


def test_a_text_is_read_as_what_its_option_is() -> None:
    given = {"sign": "01", "share": "1e-1", "shuffle": "TRUE", "other": "1"}
    assert typed(Chosen, given) == {"sign": "01", "share": 0.1, "shuffle": True, "other": "1"}
    for text in ("1", "true", "nan", "1e3", ""):
        assert typed(Chosen, {"sign": text}) == {"sign": text}
    assert typed(Chosen, {"share": "1", "sign": 1}) == {"share": 1, "sign": 1}
    assert typed(Chosen, {"share": "much"}) == {"share": "much"}
