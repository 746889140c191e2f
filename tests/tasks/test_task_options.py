"""A task's options: names, types and ranges are checked, and a mistake says what would have worked."""

from dataclasses import FrozenInstanceError, asdict, dataclass

import pytest

from nas_rnn import plugins
from nas_rnn.errors import UserError
from nas_rnn.tasks import Option, option
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.options import (
    NoOptions,
    option_fields,
    picked,
    read_options,
    require_effective,
    typed,
)


def test_defaults_and_given_values() -> None:
    assert asdict(CharLM().options) == {
        "embedding": 0,
        "valid": 0.1,
        "test": 0.1,
        "characters": 0,
        "places": 0,
    }
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


def refused(task: str, **options: Option) -> str:
    with pytest.raises(UserError) as caught:
        require_effective(plugins.registry().find("task", task).value(**options).options, task)
    return str(caught.value)


DRAWN = "only with kind=adding, copy, parity or dyck"
PLACES = "only with order=learned or random"
FIXED = "only with order=rows, columns, patches or spiral"


@pytest.mark.parametrize(
    ("task", "switch", "idle", "message"),
    [
        *(
            ("memory", {"kind": "pixels"}, one, f"has no effect with kind=pixels, {DRAWN}")
            for one in ({"steps": 9}, {"shortest": 9}, {"lengths": "9"}, {"items": 9}, {"tests": 9})
        ),
        *(
            ("memory", {"kind": kind}, one, f"has no effect with kind={kind}, only with kind={own}")
            for own, some in (
                ("copy", ({"symbols": 4}, {"copied": 3})),
                ("dyck", ({"depth": 4}, {"ask": "whole"})),
            )
            for one in some
            for kind in ("adding", "copy", "parity", "dyck", "pixels")
            if kind != own
        ),
        ("seq2seq", {"kind": "addition"}, {"locales": "en"}, "with kind=addition, only with kind=dates"),
        ("seq2seq", {}, {"digits": 5}, "digits=5 has no effect with kind=dates, only with kind=addition"),
        ("seq2seq", {"kind": "reversal"}, {"turned": True}, "turned=true has no effect with kind=reversal"),
        ("seq2seq", {}, {"letters": 5}, "with kind=dates, only with kind=reversal"),
        *(
            ("glimpses", {"order": order}, {"overlap": 1}, f"with order={order}, {FIXED}")
            for order in ("learned", "random")
        ),
        ("glimpses", {}, {"looks": 4}, f"looks=4 has no effect with order=rows, {PLACES}"),
        ("glimpses", {"order": "spiral"}, {"scales": 2}, f"with order=spiral, {PLACES}"),
        ("draw", {"by": "row"}, {"side": 2}, "side=2 has no effect with by=row, only with by=patch"),
        ("speech", {}, {"cepstra": 12}, "with features=log-mel, only with features=mfcc"),
        ("speech", {"target": "transcript"}, {"row": 3}, "with target=transcript, only with target=row"),
        ("speech", {}, {"passes": 3}, "with target=class, only with target=row"),
        ("speech", {"target": "row"}, {"by": "character"}, "with target=row, only with target=transcript"),
        ("speech", {}, {"beam": 4}, "with target=class, only with target=row or transcript"),
        ("speech", {"target": "row"}, {"answer": "mean"}, "with target=row, only with target=class"),
        *(
            ("caption", {"extractor": "alexnet"}, one, "with extractor=alexnet, only with extractor=conv")
            for one in ({"size": 32}, {"colour": False}, {"channels": 4})
        ),
        ("caption", {"fed": "first"}, {"features": 8}, "with fed=first, only with fed=every"),
    ],
)
def test_what_has_no_effect_with_another_options_value_is_refused(
    task: str, switch: dict[str, Option], idle: dict[str, Option], message: str
) -> None:
    assert message in refused(task, **switch, **idle)
    kind = plugins.registry().find("task", task).value
    defaults = {name: option_fields(kind.Options)[name].default for name in idle}
    require_effective(kind(**switch, **defaults).options, task)


def test_all_that_has_no_effect_is_named_at_once() -> None:
    assert refused("seq2seq", kind="reversal", locales="en," * 40, turned=True) == (
        "options of task 'seq2seq': locales=en,en,en,en,en,en,en,en,en,en,en,en,en,e has no effect with kind=reversal, "
        "only with kind=dates; turned=true has no effect with kind=reversal, only with kind=addition. Leave out what "
        "has no effect"
    )


@pytest.mark.parametrize("only", [{"sort": ("plus",)}, {"sign": ("times",)}])
def test_an_option_for_what_cannot_be_set_is_a_fault_of_the_task(only: dict[str, tuple[str, ...]]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Odd(Chosen):
        more: int = option(1, only=only)

    with pytest.raises(TypeError, match=r"option 'more' is for \w+=\w+, which cannot be set"):
        option_fields(Odd)
