"""What a user may set for a search or a comparison, checked; the same names on the command line and in TOML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from nas_rnn.errors import UserError, suggest
from nas_rnn.training import TrainingOptions
from nas_rnn.training.spec import Backend

MOST_SEEDS = 100
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """Read a duration such as ``90s``, ``30m``, ``2h`` or ``1h30m`` as seconds."""
    if value is None or isinstance(value, (int, float)):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", str(value))
    if not parts or "".join(number + unit for number, unit in parts) != str(value):
        raise ValueError(f"a duration is written like 90s, 30m, 2h or 1h30m, not {value!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _folder_name(value: object) -> object:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", str(value)):
        raise ValueError(
            f"a name is 1 to 100 letters, digits, '.', '_' or '-' and begins with a letter or digit, not {value!r}"
        )
    return value


def _texts(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f'a list of texts is needed, ["{value}"], not a single text')
    return value


def _seeds(value: object) -> object:
    if value == "auto" or (type(value) is int and 1 <= value <= MOST_SEEDS):
        return value
    raise ValueError(f"a whole number from 1 to {MOST_SEEDS}, or auto, is needed, not {value!r}")


Duration = Annotated[float | None, BeforeValidator(seconds), Field(gt=0)]
Name = Annotated[str | None, BeforeValidator(_folder_name)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = "char-lm"
    task_options: dict[str, int | float | str | bool] = {}
    data: Path | None = None
    epochs: int = Field(TrainingOptions.epochs, ge=1)
    params: int = Field(60_000, ge=1)
    tune: int = Field(8, ge=0, le=1000)
    match: Literal["params", "time", "hidden"] = "params"
    seeds: Annotated[int | Literal["auto"], BeforeValidator(_seeds)] = 5
    most_seeds: int = Field(32, ge=2, le=MOST_SEEDS)
    workers: int | None = Field(None, ge=1)
    address: str | None = Field(None, min_length=1)
    gpus_per_trial: float = Field(0.0, ge=0, allow_inf_nan=False)
    storage: str | None = Field(None, min_length=1)
    plugins: tuple[Path, ...] = ()
    name: Name = None
    seed: int = Field(0, ge=0, lt=2**32)
    layers: int = TrainingOptions.layers
    dropout: float = TrainingOptions.dropout
    batch: int = TrainingOptions.batch
    length: int = TrainingOptions.length
    learning_rate: float = TrainingOptions.learning_rate
    decay: Literal["cosine", "linear", "none"] = TrainingOptions.decay
    clip: float = TrainingOptions.clip
    threads: int = TrainingOptions.threads
    device: str = TrainingOptions.device
    backend: Backend = TrainingOptions.backend

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError(f"a number or a text is needed, not {str(value).lower()}")
        return value

    def training(self) -> TrainingOptions:
        """Return the training options, each checked."""
        fields = TrainingOptions.__dataclass_fields__
        return TrainingOptions(**{name: getattr(self, name) for name in fields})


class SearchConfig(_Config):
    """Everything that decides what a search does."""

    space: str = "gated"
    constraints: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    strategy: str = "random"
    scheduler: Literal["asha", "none"] = "asha"
    trials: int = Field(24, ge=1)
    time: Duration = None
    controls: Literal["all", "mean", "none"] = "all"


class CompareConfig(_Config):
    """Everything that decides what a comparison does."""

    cells: tuple[str, ...] = Field(min_length=1)
    baseline: str = "lstm"
    top: int = Field(1, ge=1, le=50)
    time: Duration = None


C = TypeVar("C", bound=_Config)


def read_config(kind: type[C], values: dict[str, Any]) -> C:
    """Return ``values`` as a checked configuration; one `UserError` that lists everything wrong with them."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        config = kind(**given)
    except ValidationError as error:
        raise UserError("\n".join(_explain(kind, problem) for problem in error.errors())) from None
    config.training()
    return config


def _explain(kind: type[_Config], problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown option {name!r}{suggest(name, kind.model_fields)}"
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{name}: {text}"
    return f"{name}: {text[0].lower()}{text[1:]}; got {problem['input']!r}"


def load_toml(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file; `UserError` where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--config: there is no file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--config: {str(path)!r} cannot be read as TOML: {error}") from None


def dump_toml(config: _Config) -> str:
    """Return ``config`` as TOML text; what is None is left out."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def absolute(config: C) -> C:
    """Return ``config`` with absolute paths, so that it means the same in another folder."""
    return config.model_copy(
        update={
            "data": config.data and config.data.expanduser().resolve(),
            "plugins": tuple(folder.expanduser().resolve() for folder in config.plugins),
        }
    )
