"""An option needs nothing but its declaration to be one of the command line and of TOML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from annotated_types import Ge, Le

from nas_rnn.cli.options import configured_by
from nas_rnn.errors import UserError
from nas_rnn.options import RUN, TRAINING, Option
from nas_rnn.run_folder.config import SearchConfig, dump_toml, read_config

Call = Callable[..., dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Later(SearchConfig):
    averaging: Annotated[bool, Option("Judge averaged weights.", TRAINING)] = True
    edge_decay: Annotated[float, Ge(0), Le(1), Option("Decay of edges.", TRAINING)] = 0.0
    notes: Annotated[tuple[str, ...], Option("A note; repeatable.", RUN, flag="--note", unset="none")] = ()


@pytest.fixture
def call() -> Call:
    """Return a function that calls a command with `Later`'s options, and returns those that were given."""
    given: dict[str, Any] = {}
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    @configured_by(Later)
    def later(**options: Any) -> None:
        given.update(options)

    def run(*arguments: str) -> dict[str, Any]:
        given.clear()
        app(args=list(arguments), standalone_mode=False)
        return dict(given)

    return run


def test_what_was_given_arrives_and_nothing_else(call: Call) -> None:
    assert call() == {}
    assert call("--averaging", "--edge-decay", "0", "--note", "a", "--note", "b", "--trials", "3") == {
        "averaging": True,
        "edge_decay": 0.0,
        "notes": ("a", "b"),
        "trials": 3,
    }
    assert call("--no-averaging") == {"averaging": False}


def test_it_is_read_and_kept_like_any_other(call: Call) -> None:
    config = read_config(Later, call("--no-averaging", "--edge-decay", "0.5"))
    assert (config.averaging, config.edge_decay, config.notes) == (False, 0.5, ())
    assert {"averaging = false", "edge_decay = 0.5"} <= set(dump_toml(config).splitlines())


def test_its_mistakes_are_told_with_all_others() -> None:
    with pytest.raises(UserError) as caught:
        read_config(Later, {"edge_decay": True, "averaging": "maybe", "layers": 0, "trials": 0})
    told = sorted(str(caught.value).splitlines())
    assert [line.split()[0] for line in told] == ["averaging:", "edge_decay:", "layers", "trials:"]
    assert told[1] == "edge_decay: a number or a text is needed, not true"
    assert read_config(Later, {"averaging": True}).averaging is True
    with pytest.raises(UserError, match=r"^edge_decay: .* less than or equal to 1; got 1\.5$"):
        read_config(Later, {"edge_decay": 1.5})
    with pytest.raises(UserError, match=r"^edge_decay: input should be a finite number; got nan$"):
        read_config(Later, {"edge_decay": float("nan")})
