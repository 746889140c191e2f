"""What a user may set for a search, a comparison or an ablation: each option declared once, checked when it is read.

The same names hold in Python, in TOML and, with dashes, on the command line, which is made from these declarations.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import tomli_w
from annotated_types import Ge, Gt, Le, Lt, MinLen

from nas_rnn.errors import UserError, suggest
from nas_rnn.options import BUDGET, RUN, TRAINING, WHAT, Option, declared
from nas_rnn.outside import NO_PATH, large_numbers, reason_of, shown
from nas_rnn.run_folder.objectives import Objectives
from nas_rnn.run_folder.values import (
    MOST_SEEDS,
    folder_name,
    list_of_texts,
    number_of_seeds,
    seconds,
    tuned_options,
)
from nas_rnn.training import TrainingOptions
from nas_rnn.training.options import TUNED, TUNED_IF_ASKED

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def _time(help: str) -> Option:
    return Option(
        help,
        BUDGET,
        metavar="TIME",
        unset="no limit",
        rule="a duration such as 90s, 30m, 2h or 1h30m; a number means seconds",
        read=seconds,
    )


@dataclass(frozen=True, kw_only=True)
class _Config(TrainingOptions):
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic reads it, and a field it must not be

    task: Annotated[str, Option("Task to train on; see `nas-rnn list tasks`.", WHAT, metavar="NAME")] = (
        "char-lm"
    )
    data: Annotated[
        Path | None, Option("Data to train on, a file or folder.", WHAT, unset="the task's own data")
    ] = None
    task_options: Annotated[
        dict[str, int | float | str | bool],
        Option(
            "Option of the task, repeatable.",
            WHAT,
            metavar="KEY=VALUE",
            flag="--task-option",
            unset="the task's defaults",
        ),
    ] = field(default_factory=dict)
    fresh_test: Annotated[
        float | None,
        Ge(0.01),
        Le(0.4),
        Option(
            "Test on this share of the data, cut from the training part where no final has read it.",
            WHAT,
            metavar="SHARE",
            unset="the task's own test part",
        ),
    ] = None
    params: Annotated[
        int, Ge(1), Option("Parameters of each whole model; sets the hidden sizes.", BUDGET)
    ] = 60_000
    tune: Annotated[
        int,
        Ge(0),
        Le(1000),
        Option(
            "Tuning trials per cell, LSTM included "
            "(learning rate, variational dropout, weight decay, gate bias); the two best go to the final; 0: none.",
            BUDGET,
        ),
    ] = 8
    tune_over: Annotated[
        tuple[str, ...],
        Option(
            f"What else to tune: {', '.join(TUNED_IF_ASKED)}; repeatable, or with commas.",
            BUDGET,
            metavar="OPTION",
            unset="nothing else",
            read=tuned_options,
        ),
    ] = ()
    seeds: Annotated[
        int | Literal["auto"],
        Option(
            "Seeds per cell in the final; auto: add seeds until the comparison is decided.",
            BUDGET,
            rule=f"a whole number from 1 to {MOST_SEEDS}, or auto",
            read=number_of_seeds,
        ),
    ] = 5
    most_seeds: Annotated[
        int, Ge(2), Le(MOST_SEEDS), Option("Most seeds per cell with --seeds auto.", BUDGET)
    ] = 32
    match: Annotated[
        Literal["params", "time", "hidden"],
        Option("Match cells by parameters, measured time per step, or hidden size.", TRAINING),
    ] = "params"
    reference: Annotated[
        str,
        Option(
            "Cell beside the baseline in the final, tuned alike: a name, a .cell file, or none.",
            WHAT,
            metavar="CELL",
        ),
    ] = "gru"
    smoke: Annotated[
        bool,
        Option("Run everything once at toy size: whether it works, nothing about cells.", BUDGET),
    ] = False
    plugins: Annotated[
        tuple[Path, ...],
        Option("Folder of your own .py plugins; repeatable.", RUN, metavar="DIR", unset="./search_spaces"),
    ] = ()
    workers: Annotated[
        int | None, Ge(1), Option("Runs trained in parallel.", RUN, unset="as many as fit")
    ] = None
    address: Annotated[
        str | None,
        MinLen(1),
        Option(
            "Ray cluster to train on (or RAY_ADDRESS), or local.", RUN, metavar="HOST:PORT", unset="local"
        ),
    ] = None
    gpus_per_trial: Annotated[float, Ge(0), Option("GPUs per run; may be a fraction.", RUN)] = 0.0
    storage: Annotated[
        str | None,
        MinLen(1),
        Option("Where to store checkpoints (s3://bucket/runs).", RUN, metavar="URI", unset="the run folder"),
    ] = None
    name: Annotated[
        str | None,
        Option(
            "Name of the run and of its folder.",
            RUN,
            metavar="NAME",
            unset="the next free one",
            rule="1 to 100 letters, digits, '.', '_' or '-'",
            read=folder_name,
        ),
    ] = None
    seed: Annotated[int, Ge(0), Lt(2**32), Option("Random seed, 0 or more.", RUN)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tune_over and not self.tune:
            raise UserError(
                f"tune_over {', '.join(self.tune_over)} needs trials of tuning, such as tune 8; tune is 0"
            )
        if "clip" in self.tune_over and not self.clip:
            raise UserError(
                "tune_over clip needs a clip greater than 0 to begin with, such as 1.0; clip is 0"
            )

    def tuned_over(self) -> tuple[str, ...]:
        """Return the training options that tuning sets."""
        return (*TUNED, *self.tune_over)

    def training(self) -> TrainingOptions:
        """Return the training options alone."""
        return TrainingOptions(**{one.name: getattr(self, one.name) for one in fields(TrainingOptions)})


@dataclass(frozen=True, kw_only=True)
class SearchConfig(_Config):
    """Everything that decides what a search does."""

    space: Annotated[str, Option("Search space; see `nas-rnn list spaces`.", WHAT, metavar="NAME")] = "gated"
    constraints: Annotated[
        tuple[str, ...],
        Option(
            "Constraint on candidates: 'products<=4', contains=tanh, lacks=exp; repeatable.",
            WHAT,
            metavar="RULE",
            flag="--constraint",
            unset="none",
            read=list_of_texts,
        ),
    ] = ()
    strategy: Annotated[
        str, Option("Search strategy; see `nas-rnn list strategies`.", WHAT, metavar="NAME")
    ] = "predictor"
    objectives: Objectives = ()
    start_from: Annotated[
        tuple[str, ...],
        Option(
            "Cell (a name or .cell file) to try first, or search whose trials and best cells to use; repeatable.",
            WHAT,
            metavar="NAME",
            unset="none",
            read=lambda value: [value] if isinstance(value, str) else value,
        ),
    ] = ()
    trials: Annotated[int, Ge(1), Option("Number of candidates to try.", BUDGET)] = 24
    supernet_epochs: Annotated[
        int | None,
        Ge(1),
        Option("Epochs of a one-shot strategy's supernet.", BUDGET, unset="as any run"),
    ] = None
    time: Annotated[
        float | None,
        Gt(0),
        _time("Time for the candidates: 90s, 1h30m, ...; tuning, selection and final are not limited."),
    ] = None
    scheduler: Annotated[
        Literal["halving", "none"],
        Option("Train the best third to the end (halving), or every candidate (none).", BUDGET),
    ] = "halving"
    filter: Annotated[
        Literal["unstable", "none"],
        Option(
            "Drop candidates whose values or gradients explode at their initialisation (unstable), or none.",
            BUDGET,
        ),
    ] = "unstable"
    controls: Annotated[
        Literal["all", "mean", "none", "lstm-all"],
        Option(
            "Controls in the final: random cells (mean), and a random search of equal length (all), and the LSTM "
            "tuned with all that the search cost (lstm-all).",
            BUDGET,
        ),
    ] = "mean"


@dataclass(frozen=True, kw_only=True)
class CompareConfig(_Config):
    """Everything that decides what a comparison does; ``cells`` are arguments, not an option."""

    cells: Annotated[tuple[str, ...], MinLen(1)]
    baseline: Annotated[
        str, Option("The cell to compare with: a name, a .cell file or a search.", WHAT, metavar="CELL")
    ] = "lstm"
    top: Annotated[int, Ge(1), Le(50), Option("How many of a search's best cells to compare.", WHAT)] = 1
    time: Annotated[float | None, Gt(0), _time("Add no more seeds (--seeds auto) after 30m, 2h, ...")] = None


@dataclass(frozen=True, kw_only=True)
class AblateConfig(CompareConfig):
    """A comparison with the variants of one cell, which is the baseline: so some options of a comparison are none."""

    baseline: str = "lstm"
    top: int = 1
    reference: str = "none"
    tune: Annotated[int, Ge(0), Le(1000), Option("Tuning trials per variant; 0: none.", BUDGET)] = 0


C = TypeVar("C", bound=_Config)

SMOKE: Mapping[str, Any] = {"params": 3000, "trials": 2, "tune": 1, "seeds": 1, "epochs": 1}
"""The options that make a toy of everything, where they are not given."""
SMOKE_WARNING = (
    "a smoke run: everything once, at toy size; what it says of cells means nothing, and what it calls test data are "
    "the validation data, so that nothing has looked at the test part"
)
"""Said at its beginning, and beside whatever it finds."""


def smoked(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with the options of a toy, where one is asked for."""
    if not values.get("smoke"):
        return dict(values)
    if "epochs" not in values:  # there is no end of a run's own that it would multiply
        values = {name: value for name, value in values.items() if name != "longer"}
    return {**{name: value for name, value in SMOKE.items() if name in declared(kind)}, **values}


TOO_LARGE: Final = "a whole number is larger than 64 bits hold; give a smaller one"


def read_config(kind: type[C], values: Mapping[str, Any]) -> C:
    """Return ``values`` as a checked configuration; one `UserError` that lists everything wrong with them."""
    from pydantic import ValidationError

    given = {name: value for name, value in values.items() if value is not None}
    large = next(large_numbers(given), None)
    if large is not None:
        raise UserError(f"{shown(large)}: {TOO_LARGE}")
    try:
        config: C = _adapter(kind).validate_python(given)
    except ValidationError as error:
        # Each type of a union has a problem of its own, which says the same.
        told = dict.fromkeys(_explain(kind, problem) for problem in error.errors())
        raise UserError("\n".join(told)) from None
    for name, value in vars(config).items():
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and "\0" in str(path):
                raise UserError(f"{name}: {NO_PATH}")
    return config


def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


_OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")


def _explain(kind: type[_Config], problem: Any) -> str:
    name, value = ".".join(str(part) for part in problem["loc"]), problem["input"]
    if problem["type"] == "unexpected_keyword_argument":
        return f"unknown option {name!r}{suggest(name, [one.name for one in fields(kind)])}"
    if problem["loc"][:1] == ("task_options",) and problem["loc"][2:] not in ((), ("[key]",)):
        return f"task_options.{problem['loc'][1]}: a number, a text, true or false is needed, not {value!r}"
    training = declared(TrainingOptions)
    if problem["type"] in _OUT_OF_RANGE and name in training:
        return f"{name} must be {training[name].broken_rule(value)}; got {value!r}"
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{name}: {text}"
    return f"{name}: {text[0].lower()}{text[1:]}; got {value!r}"


def load_toml(path: Path, flag: str = "--config") -> dict[str, Any]:
    """Return the values of a TOML file; `UserError`, with the ``flag`` that named it, where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{flag}: there is no file {str(path)!r}") from None
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"{flag}: {str(path)!r} cannot be read as TOML: {reason_of(error)}") from None
    try:
        content = tomllib.loads(text)
        large = next(large_numbers(content), None)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{flag}: {str(path)!r} cannot be read as TOML: {error}") from None
    except ValueError:  # of a decimal number with thousands of digits; Python does not say where
        raise UserError(f"{flag}: {str(path)!r}: {TOO_LARGE}") from None
    if large is not None:
        raise UserError(f"{flag}: {str(path)!r}: {shown(large)}: {TOO_LARGE}")
    return content


def plain(config: _Config) -> dict[str, Any]:
    """Return ``config`` as values of JSON by name; what is None is left out."""
    values: dict[str, Any] = _adapter(type(config)).dump_python(config, mode="json", exclude_none=True)
    return values


def dump_toml(config: _Config) -> str:
    """Return ``config`` as TOML text; what is None is left out."""
    return tomli_w.dumps(plain(config))


def absolute(config: C) -> C:
    """Return ``config`` with absolute paths, so that it means the same in another folder."""
    return replace(
        config,
        data=config.data and config.data.expanduser().resolve(),
        plugins=tuple(folder.expanduser().resolve() for folder in config.plugins),
    )
