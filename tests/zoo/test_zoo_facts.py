"""What the zoo tells about its cells: identity, text, pictures, counts, families and years."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from nas_rnn.catalogue.listing import listing
from nas_rnn.cells import parse_cell, zoo
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.graph.verify import violations
from nas_rnn.execution.layout import parameter_count
from tests.execution.zoo import zoo_cells
from tests.zoo.reference_searched import PUBLISHED_PARAMETERS

CELLS = zoo_cells()
ROOT = Path(__file__).resolve().parents[2]

DIGESTS = {
    "rnn": "c1-88aaa7c3732f63b0",
    "lstm": "c1-74b478e997a61877",
    "gru": "c1-5bad0dd72060630e",
    "lem": "c1-a3ed004efbf243fc",
    "cornn": "c1-d624b44ec9e072fe",
    "unicornn": "c1-36b00374fabe0d62",
    "taugru": "c1-082266316e3e3bef",
    "antisym_rnn": "c1-ebfa99590b7d273c",
    "antisym_gated": "c1-25b1eb47d93172a0",
    "slstm": "c1-786d0e49081cafec",
    "slstm4": "c1-e6c874977be0a9cc",
    "indrnn": "c1-14c870f66e7f1c25",
    "ran": "c1-61089af1020aec62",
    "fastrnn": "c1-1f867e92e88a4c90",
    "fastgrnn": "c1-8cbd61dff5ec1ce9",
    "sru": "c1-903849cad81746d8",
    "qrnn": "c1-aa8221ea0728a9d0",
    "mingru": "c1-f6549bb46f1cb57e",
    "minlstm": "c1-e32ad9966a1356d4",
    "trnn": "c1-dc62013a983ac097",
    "tgru": "c1-50ad1c7ce293571d",
    "tlstm": "c1-ef8088eeddf1f81b",
    "hgrn": "c1-0e0a0678acf036d9",
    "rg_lru": "c1-ec3be2f20b2d4b57",
    "gru_v1": "c1-35e4914cc80459f3",
    "mgu": "c1-a14586bc21733af8",
    "ugrnn": "c1-f97144c0284f8a5a",
    "cfn": "c1-21a16b911b0ad487",
    "star": "c1-4603b45d9f1ebe1d",
    "janet": "c1-b8b836cc3a6aec6b",
    "atr": "c1-50ca6c01e5a18711",
    "brc": "c1-2d65ad4a56fbccd0",
    "nbrc": "c1-b3e4d12fbd35d67b",
    "scrn": "c1-f07f7ed434c3efac",
    "sgrn": "c1-df601ae81c7b04ae",
    "lightru": "c1-98527004605ca200",
    "ligru": "c1-d3f727591428e616",
    "minimalrnn": "c1-0ed2bc63a67f53f5",
    "intersectionrnn": "c1-4936b05853ef376f",
    "sgu": "c1-48baea01446d0806",
    "dsgu": "c1-519a9390601396b8",
    "miru1": "c1-3bdbc474aab34828",
    "miru2": "c1-b4b446d3799524dc",
    "rhn2": "c1-933a6f4658f5fb17",
    "rhn3": "c1-feef6de3427a5376",
    "rhn4": "c1-48a2dc53e1f6ff9b",
    "rhn5": "c1-cab8cfb046e75da4",
    "lstm_coupled": "c1-4d2dae9bb974b03e",
    "lstm_ln": "c1-91f250383bccb61f",
    "lstm_nas_bench": "c1-4d4831c2089f3f12",
    "lstm_1997": "c1-f435c44d11dc4066",
    "lstm_mult": "c1-f0e1d6a4e1eb4a5f",
    "lstm_control": "c1-c1f548cafbfe8fbf",
    "lstm_wm": "c1-b85d7a01c09dd97d",
    "lstm_residual": "c1-74291e26d5e95be7",
    "lstm_mogrifier": "c1-b5afbdc42ddfd145",
    "mut1": "c1-6859609e297b8d0e",
    "mut2": "c1-724fa937730f32e7",
    "mut3": "c1-2ab1c85065b56304",
    "nascell": "c1-afd85602d572ad56",
    "enas": "c1-29177585e60ec6ae",
    "darts_v1": "c1-c3f0faed267c6a76",
    "darts_v2": "c1-d0b6dd32698dfe75",
    "nas_bench_nlp_1": "c1-4fd71ebaca65c1c1",
    "nas_bench_nlp_2": "c1-e86ab3017f186ec8",
    "nas_bench_nlp_3": "c1-bdad8ec8915dbb9c",
}
"""A change here is a change of `nas_rnn.cells.graph.canonical.VERSION`; those of the LSTM's ablations are elsewhere."""


def test_these_are_all_with_the_ablations() -> None:
    assert {name for name in CELLS if zoo.family(CELLS[name]) != "lstm ablations"} == set(DIGESTS)


@pytest.mark.parametrize("name", DIGESTS)
def test_a_published_cell_keeps_its_identity(name: str) -> None:
    assert CELLS[name].digest == DIGESTS[name]


def test_no_two_are_the_same_cell() -> None:
    """But the LSTM without peepholes, which is the LSTM."""
    digests = [made.digest for name, made in CELLS.items() if name != "lstm_np"]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("name", CELLS)
def test_a_published_cell_verifies_reads_back_prints_and_draws(name: str) -> None:
    made = CELLS[name]
    assert list(violations(made)) == []
    assert parse_cell(made.to_text()) == made
    assert all(f"{path.name}ₜ" in str(made) for path in made.states)
    assert made.latex().startswith(r"\begin{aligned}")
    assert made.diagram().lstrip().startswith(b"<?xml")


@pytest.mark.parametrize("name", CELLS)
def test_a_published_cell_says_who_and_when(name: str) -> None:
    made = CELLS[name]
    assert 1990 <= (zoo.year(made) or 0) <= 2025
    assert zoo.family(made)
    first = made.doc.split("\n")[0]
    assert str(zoo.year(made)) in first or name in ("lstm", "lstm_nig"), "the list shows the first line"


def test_a_row_of_the_list() -> None:
    row = next(row for row in listing("cells") if row["name"] == "lstm")
    expected = {"family": "classic", "year": "1997", "states": "h, c", "products": 4, "levels": 1}
    assert {key: row[key] for key in expected} == expected
    assert list(row)[:6] == ["name", "family", "year", "states", "products", "operations"]


def test_a_cell_of_ones_own_has_no_family() -> None:
    own = parse_cell('@cell\ndef lstm(x, h):\n    """Mine (2024, unpublished)."""\n    return h\n')
    assert zoo.family(own) == ""
    assert zoo.year(own) is None


def test_the_documentation_has_a_row_for_each() -> None:
    page = (ROOT / "docs/cells.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.M)[: len(CELLS)] == [
        (name, zoo.family(made)) for name, made in CELLS.items()
    ]


def test_every_file_is_registered() -> None:
    files = {path.stem for path in Path(zoo.__path__[0]).glob("*.py")} - {"__init__"}
    listed = set(
        re.findall(r'^(\w+) = "nas_rnn\.cells\.zoo\.\1"$', (ROOT / "pyproject.toml").read_text(), re.M)
    )
    assert files == listed
    assert len({import_module(f"{zoo.__name__}.{file}").FAMILY for file in files}) == len(files)


HAND_COUNTS: dict[str, Callable[[int, int], int]] = {
    "lstm": lambda n, m: 4 * m * (n + m + 1),
    "lstm_peephole": lambda n, m: 4 * m * (n + m + 1) + 3 * m,
    "lstm_coupled": lambda n, m: 3 * m * (n + m + 1),
    "lstm_ln": lambda n, m: 4 * m * (n + m + 1) + 2 * 2 * 4 * m + 2 * m,
    "gru": lambda n, m: 3 * m * (n + m + 1) + m,
    "gru_v1": lambda n, m: 3 * m * (n + m + 1),
    "mgu": lambda n, m: 2 * m * (n + m + 1),
    "ugrnn": lambda n, m: 2 * m * (n + m + 1),
    "ran": lambda n, m: 2 * m * (n + m + 1) + m * n,
    "indrnn": lambda n, m: m * n + 2 * m,
    "rhn3": lambda n, m: 2 * m * (n + 3 * m + 3),
    "fastrnn": lambda n, m: m * (n + m + 1) + 2,
    "fastgrnn": lambda n, m: m * (n + m + 2) + 2,
    "sru": lambda n, m: 3 * m * n + 4 * m + m * n,
    "qrnn": lambda n, m: 3 * m * 2 * n,
    "janet": lambda n, m: 2 * m * (n + m + 1),
    "cfn": lambda n, m: 2 * m * (n + m + 1) + m * n,
    "star": lambda n, m: m * (n + m + 1) + m * (n + 1),
    "lem": lambda n, m: 4 * m * (n + m + 1),
    "cornn": lambda n, m: m * (n + 2 * m + 1),
    "mingru": lambda n, m: 2 * m * (n + 1),
    "minlstm": lambda n, m: 3 * m * (n + 1),
    "slstm": lambda n, m: 4 * m * (n + m + 1),
    "slstm4": lambda n, m: 4 * m * (n + m // 4 + 1),
    "mut1": lambda n, m: m * (n + 1) + m * (n + m + 1) + m * (m + 1) + m * n,
    "atr": lambda n, m: m * (n + m + 2),
    "brc": lambda n, m: 3 * m * (n + 1) + 2 * m,
    "nbrc": lambda n, m: 3 * m * (n + 1) + 2 * m * m,
    "scrn": lambda n, m: m * n + m * (m + n + m + 1) + m * (2 * m + 1),
    "sgrn": lambda n, m: m * (n + m + 1),
    "lightru": lambda n, m: 2 * m * (n + 1) + m * m,
    "ligru": lambda n, m: 2 * m * (n + m + 1),
    "minimalrnn": lambda n, m: m * (n + 1) + m * (2 * m + 1),
    "intersectionrnn": lambda n, m: 4 * m * (n + m + 1) + m * n,
    "sgu": lambda n, m: 2 * m * (n + 1) + 2 * m * m,
    "dsgu": lambda n, m: 2 * m * (n + 1) + 3 * m * m,
    "miru1": lambda n, m: 2 * m * (n + m + 1),
    "miru2": lambda n, m: m * (n + m + 1),
    "lstm_1997": lambda n, m: 3 * m * (n + m + 1),
    "lstm_mult": lambda n, m: m * (n + m) + 4 * m * (n + m + 1),
    "lstm_control": lambda n, m: 5 * m * (n + m + 1),
    "lstm_wm": lambda n, m: 4 * m * (n + m + 1) + 3 * m * m,
    "lstm_residual": lambda n, m: 4 * m * (n + m + 1) + 3 * m + m * m + m * n,
    "lstm_mogrifier": lambda n, m: m * n + 5 * m * m + 4 * m * (2 * m + 1),
    "unicornn": lambda n, m: m * (n + 1) + 2 * m,
    "taugru": lambda n, m: 4 * m * (n + m + 1),
    "antisym_rnn": lambda n, m: m * (n + m + 1),
    "antisym_gated": lambda n, m: 2 * m * (n + 1) + m * m,
    "trnn": lambda n, m: 2 * m * n + m,
    "tgru": lambda n, m: 3 * m * (2 * n + 1),
    "tlstm": lambda n, m: 3 * m * (2 * n + 1),
    "hgrn": lambda n, m: 5 * m * (n + 1) + 2 * m + 4 * m + m * (2 * m + 1),
    "rg_lru": lambda n, m: 2 * m * (n + 1) + m + m * n,
    "nascell": lambda n, m: 8 * m * (n + m),
    "enas": lambda n, m: 2 * m * (n + m) + 11 * 2 * m * m,
    "darts_v2": lambda n, m: 2 * m * (n + m) + 8 * 2 * m * m,
}
"""Learned numbers at input size n and hidden size m, by hand from the papers' equations."""


@pytest.mark.parametrize("name", HAND_COUNTS)
def test_parameters_are_as_counted_by_hand(name: str) -> None:
    for inputs, hidden in ((12, 20), (5, 8)):
        expected = HAND_COUNTS[name](inputs, hidden)
        assert costs(CELLS[name], inputs, hidden).parameters == expected
        assert parameter_count(CELLS[name], inputs, hidden) == expected


@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_the_whole_model_has_as_many_parameters_as_nas_bench_nlp_says(name: str) -> None:
    layers = sum(parameter_count(CELLS[name], n, m) for n, m in ((400, 600), (600, 600), (600, 400)))
    assert layers + 10_000 * 400 + 10_000 == PUBLISHED_PARAMETERS[name]


def test_the_products_in_the_loop() -> None:
    found = {name: costs(CELLS[name], 8, 8) for name in CELLS}
    without = {"indrnn", "sru", "mingru", "minlstm", "brc", "unicornn", "trnn", "rg_lru"}
    assert {name for name in found if found[name].products == 0} == without
    assert [found[f"rhn{depth}"].levels for depth in (2, 3, 4, 5)] == [2, 3, 4, 5]
    assert found["lstm_ln"].reductions == 3  # of h's products, x's products, and c
