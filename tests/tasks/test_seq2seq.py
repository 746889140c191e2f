"""Task seq2seq: its data, batches, model, decoding, scores, floors and previews."""

from __future__ import annotations

import datetime
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.experiment.models import Models
from nas_rnn.plugins import load_space
from nas_rnn.run_folder.config import CompareConfig
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.metric import totals_of
from nas_rnn.tasks.seq2seq import Seq2Seq, net
from nas_rnn.tasks.seq2seq.dates import date_pairs
from nas_rnn.tasks.seq2seq.model import Translator
from nas_rnn.tasks.seq2seq.scores import BLEU, CHRF, EXACT, TOKENS, scored
from nas_rnn.tasks.seq2seq.sums import sum_pairs, turned_pairs
from nas_rnn.tasks.vocabulary import SPECIAL, cut, join, texts_of
from nas_rnn.testing.tasks import check_task
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer
from tests.export.cases import plain_copy

ATTENTION = ("none", "additive", "dot")
SMALL = Batching(batch=8, length=1)


def made(task: Seq2Seq, data: TaskData, make_rnn: Any = lambda size: nn.LSTM(size, 8)) -> Translator:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation())


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def phrases(count: int) -> list[str]:
    """Return lines of three columns, of which every third has the source of the line before it."""
    numbers = [number - (number % 3 == 2) for number in range(count)]
    return [f"number {number} .\tla {place} est là\tCC-BY" for place, number in enumerate(numbers)]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "dates", "attention": "dot"},
        {"kind": "addition", "attention": "additive", "beam": 2},
        {"kind": "reversal", "attention": "none", "bidirectional": True},
    ],
    ids=lambda options: options["kind"],
)
def test_it_keeps_what_a_task_must(options: dict[str, Any]) -> None:
    assert check_task(partial(Seq2Seq, pairs=100, embedding=4, **options)) == []


def test_so_it_does_with_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", [f"{n} birds\t{n} oiseaux" for n in range(100)])
    assert check_task(partial(Seq2Seq, by="word", embedding=4), path) == []


# Made data


def test_dates_are_what_they_say_in_every_language_and_style() -> None:
    pairs = date_pairs(3000, ["en", "de", "fr", "es", "it", "nl"], np.random.default_rng(1))
    targets = {pair.source: pair.target for pair in pairs}
    assert all(targets[pair.source] == pair.target for pair in pairs), "a text means two dates"
    for pair in pairs:
        date = datetime.date.fromisoformat(pair.target)
        assert str(date.year) in pair.source
        assert str(date.day) in pair.source
    assert len({pair.target for pair in pairs}) == 3000
    assert any("Mittwoch" in pair.source for pair in pairs)
    assert any("juillet" in pair.source for pair in pairs)


def test_sums_add_up() -> None:
    for turned in (False, True):
        pairs = sum_pairs(2000, 3, turned, np.random.default_rng(1))
        for pair in pairs:
            one, other = map(int, pair.source.removesuffix("=").split("+"))
            assert (pair.target[::-1] if turned else pair.target) == str(one + other)
        assert len({frozenset(pair.source[:-1].split("+")) for pair in pairs}) == 2000
    assert max(len(pair.source) for pair in pairs) == 8


def test_sums_are_learned_at_a_rate_of_their_own_unless_one_is_given() -> None:
    def rate(given: tuple[str, ...] = (), **options: Any) -> float:
        config = CompareConfig(
            cells=("gru",), task="seq2seq", task_options={"pairs": 200, **options}, learning_rate=0.02
        )
        return Models.prepare(config, given)[0].learning_rate

    assert rate(kind="addition") == 0.003
    assert rate(kind="reversal") == rate() == 0.01
    assert rate(("learning_rate",), kind="addition") == 0.02


def test_letters_are_turned_round() -> None:
    pairs = turned_pairs(500, 6, np.random.default_rng(1))
    assert all(pair.target == pair.source[::-1] for pair in pairs)
    assert len({min(pair.source, pair.target) for pair in pairs}) == 500
    assert {len(pair.source) for pair in pairs} == {2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "addition", "digits": 1, "pairs": 28}, "more than half of the 55 sums of 1-digit numbers"),
        ({"kind": "reversal", "letters": 3, "pairs": 9000}, "more than a quarter of the 18,252 series"),
        ({"pairs": 80_000}, "there are 73,049 days from 1900-01-01 to 2099-12-31; pairs=80000 is more"),
        ({"locales": "en,xx"}, "babel knows no language 'xx'; give some with commas"),
        ({"valid": 0.45, "test": 0.4}, "valid=0.45 and test=0.4 leave too little to train on"),
        ({"pairs": 2}, "cannot fill a training, a validation and a test part"),
        ({"attention": "dots"}, "did you mean 'dot'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Seq2Seq(**options).load(None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# Files


def texts(data: TaskData, part: Any, side: str) -> list[str]:
    return [
        join(texts_of([symbol for symbol in row if symbol], data.meta[f"{side}_tokens"]), data.meta["by"])
        for row in data.part(part)[side].tolist()
    ]


def test_a_file_is_divided_by_sources(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.txt", ["", *phrases(300)])
    data = Seq2Seq().load(path)
    parts = {part: set(texts(data, part, "source")) for part in ("train", "valid", "test")}
    assert not parts["train"] & parts["test"] and not parts["train"] & parts["valid"]
    assert not parts["valid"] & parts["test"]
    counts = {part: len(data.part(part)["source"]) for part in data.parts}  # type: ignore[arg-type]
    assert sum(counts.values()) == 300
    assert counts["test"] in (29, 30, 31)
    groups = data.groups["test"]
    for one, other in zip(groups, texts(data, "test", "source"), strict=True):
        alike = [text == other for text in texts(data, "test", "source")]
        assert (groups == one).tolist() == alike
    assert sum(map(len, (Seq2Seq(pairs=100).load(path).part(part)["source"] for part in counts))) == 100


def test_references_stay_whole_where_training_lacks_a_word(tmp_path: Path) -> None:
    for part, lines in {
        "train": ["a b\tx y", "a\tx", "b\ty"],
        "valid": ["a q\tx"],
        "test": ["a q b\tx unseen y"],
    }.items():
        write(tmp_path / f"{part}.tsv", lines)
    task = Seq2Seq(by="word", attention="none")
    data = task.load(tmp_path)
    assert texts(data, "test", "target") == ["x unseen y"]
    assert texts(data, "test", "source") == ["a q b"]
    model = made(task, data).eval()
    assert model.net.output.out_features == len(SPECIAL) + 2
    (batch,) = task.batches(data, "test", SMALL)
    assert batch.inputs["source"][1].item() == net.UNKNOWN  # type: ignore[index, call-overload]
    assert texts_of(data.meta["examples"][0][0], data.meta["source_tokens"]) == ["a", "<unk>"]
    assert bool(model.loss(batch, None)[0].total.isfinite())
    assert any(
        "33 % of the target tokens of the test part are unknown" in told for told in task.notices(data)
    )
    few = Seq2Seq(by="word", vocabulary=1).load(tmp_path)
    assert (few.meta["source_known"], few.meta["target_known"]) == (1, 1)
    assert texts(few, "train", "target")[0].count("<unk>") <= 1


def test_long_pairs_are_left_out_and_sources_known_are_told(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write(tmp_path / f"{part}.tsv", ["same\tone", f"{part} it is\ttwo", f"{'long ' * 9}\tthree"])
    task = Seq2Seq(longest=20)
    data = task.load(tmp_path)
    told = " ".join(task.notices(data))
    assert "3 pairs are left out, since their source or target has more than 20 tokens" in told
    assert "1 of 2 sources of the test part stand in the training part, too" in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pairs.tsv is empty; give lines of a source, a tab and its target"),
        (b"a " * 40 + b"\tb\n", "holds no pair of at most 60 tokens a side (1 are longer); "),
        (b"one\ttwo\nthree\n", "line 2 has no tab: 'three'"),
        (b"one\ttwo\n \tthree\n", "line 2: the source is empty"),
        (b"one\ttwo\nthree\t\tfour\n", "line 2: the target is empty"),
        (b"caf\xe9\tcoffee\n", "line 1 is not UTF-8 text: byte 0xe9"),
        ("a\tb\n".encode("utf-16"), "the file begins as UTF-16 does"),
        (b"a" * (1 << 20) + b"b\tc\n", "line 1 is longer than 1,048,576 characters"),
        (b"a\tb\n", "1 pairs with 1 different sources cannot fill"),
        (b"a\tb\n" * 100, "100 pairs with 1 different sources cannot fill"),
        (b"a\tb\rc", "line 2 has no tab: 'c'"),
        (
            "".join(f"{number}\tnone\n" for number in range(100)).encode(),
            "all 80 pairs of the training part have the target 'none', so there is nothing to learn",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Seq2Seq().load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) or "pairs" in message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"by": "word"}, False, "option 'by' says how a file is read; give one (--data), or leave"),
        ({"longest": 3}, False, "option 'longest' says how a file is read"),
        (
            {"kind": "addition"},
            True,
            "option 'kind' says what pairs are made; leave it out, or the file (--data)",
        ),
        ({"digits": 9}, True, "option 'digits' says what pairs are made"),
        ({"bleu_tokens": "char"}, False, "option 'bleu_tokens' is for BLEU, which is not measured here; set"),
        ({"bleu_tokens": "char", "decide": "bleu", "pairs": 300}, False, ""),
        ({"bleu_tokens": "char"}, True, ""),
    ],
)
def test_options_that_would_have_no_effect(
    tmp_path: Path, options: dict[str, Any], data: bool, message: str
) -> None:
    path = write(tmp_path / "pairs.tsv", phrases(300))
    if not message:
        Seq2Seq(**options).load(path if data else None)
        return
    with pytest.raises(UserError) as caught:
        Seq2Seq(**options).load(path if data else None)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("by", "one", "other"),
    [
        ("character", "caf\u00e9", "cafe\u0301"),
        ("word", "Hello {} .", "Hello {}."),
        ("word", "{} a", "{}  a "),
    ],
)
def test_sources_that_are_one_to_the_net_stand_in_one_part(
    tmp_path: Path, by: str, one: str, other: str
) -> None:
    lines = [f"{text.format(n)} {n}\t{n}" for n in range(200) for text in (one, other)]
    data = Seq2Seq(by=by).load(write(tmp_path / "pairs.tsv", lines))
    parts = [
        {tuple(row) for row in data.part(part)["source"].tolist()} for part in ("train", "valid", "test")
    ]  # type: ignore[arg-type]
    assert sum(map(len, parts)) == 200
    folder = tmp_path / "parts"
    folder.mkdir()
    write(folder / "train.tsv", [f"{one.format(1)}\tx", "other\ty"])
    for part in ("valid", "test"):
        write(folder / f"{part}.tsv", [f"{other.format(1)}\tx", "new\ty"])
    assert Seq2Seq(by=by).load(folder).meta["known_sources"] == {"valid": 1, "test": 1}


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        Seq2Seq().load(tmp_path / "nothing")
    with pytest.raises(UserError, match="of 'train' there is none"):
        Seq2Seq().load(tmp_path)
    for name in ("train.tsv", "train.txt"):
        write(tmp_path / name, ["a\tb"])
    with pytest.raises(UserError, match=r"of 'train' there is train.tsv, train.txt"):
        Seq2Seq().load(tmp_path)


@pytest.mark.parametrize(
    ("package", "options"), [("babel", {}), ("sacrebleu.metrics.bleu", {"decide": "bleu"})]
)
def test_a_missing_package_is_told(
    monkeypatch: pytest.MonkeyPatch, package: str, options: dict[str, Any]
) -> None:
    from nas_rnn.tasks.bleu import bleu_counter

    bleu_counter.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"needs .*; install it with: pip install 'nas_rnn\[text\]'"):
        Seq2Seq(pairs=100, **options).load(None)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_any_line_end_and_a_byte_order_mark_are_none_of_the_text(tmp_path: Path, end: str) -> None:
    path = tmp_path / "pairs.tsv"
    lines = "".join(f"{number}\tn{number}{end}" for number in range(200))
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    data = Seq2Seq().load(path)
    meta = data.meta
    assert sum(len(data.part(part)["source"]) for part in ("train", "valid", "test")) == 200  # type: ignore[arg-type]
    assert set(meta["source_tokens"]) == set("0123456789")
    assert set(meta["target_tokens"]) == set("n0123456789")


@given(st.text(max_size=30))
def test_characters_join_to_the_text(text: str) -> None:
    tokens = cut(text, "character")
    assert cut(join(tokens, "character"), "character") == cut(text, "character")
    assert not {*tokens} & {*SPECIAL}
    assert not {*cut(text, "word")} & {*SPECIAL}


# Batches


def test_batches_hold_every_pair_once_with_neighbours_of_like_lengths() -> None:
    task = Seq2Seq(pairs=400)
    data = task.load(None)
    seen = list[int]()
    padding = steps = 0
    for batch in task.batches(data, "train", Batching(batch=16, length=1, seed=1, epoch=2)):
        assert isinstance(batch.inputs, dict) and isinstance(batch.targets, Tensor)
        assert isinstance(batch.lengths, dict) and batch.items is not None
        for column, item in enumerate(batch.items.tolist()):
            seen.append(item)
            for values, length, side in (
                (batch.inputs["source"], batch.lengths["source"][column], "source"),
                (batch.targets, batch.lengths["targets"][column] - 1, "target"),
            ):
                row = data.part("train")[side][item]
                assert values[:length, column].tolist() == row[row != 0].tolist()
            assert batch.targets[batch.lengths["targets"][column] - 1, column] == net.END
        steps += batch.inputs["source"].numel()
        padding += batch.inputs["source"].numel() - int(batch.lengths["source"].sum())
    assert sorted(seen) == list(range(320))
    assert padding < 0.1 * steps


# The model


def random_cells() -> list[Any]:
    """Return cells of several spaces, whose states differ in number and size."""
    found = list[Any](["lstm", "gru", "slstm"])
    for place, name in enumerate(("gated", "nas_bench_nlp", "darts", "nas_cell")):
        space, random = load_space(name), np.random.default_rng(place)
        found += [space.sample(random).cell for _ in range(2)]
    return found


def double(cell: Any, size: int) -> RNN:
    return RNN(cell, size, 6, backend="eager", dtype=torch.float64)


def everything(model: Translator, batch: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    loss, _ = model.loss(batch, None)
    loss.total.backward()  # type: ignore[no-untyped-call]
    found = {"loss": loss.total.detach()}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        found[name] = parameter.grad.clone()
    source, lengths = batch.inputs["source"], batch.inputs["lengths"]  # type: ignore[index, call-overload]
    found["log"] = model.decode(source, lengths).log_B
    return found


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("attention", ATTENTION)
def test_any_cell_will_do_and_padding_and_order_change_nothing(attention: str, bidirectional: bool) -> None:
    task = Seq2Seq(pairs=100, attention=attention, bidirectional=bidirectional, embedding=3, beam=2)
    data = task.load(None)
    (batch, *_) = task.batches(data, "valid", Batching(batch=7, length=1))
    inputs, lengths = batch.inputs, batch.lengths
    assert isinstance(inputs, dict) and isinstance(lengths, dict) and isinstance(batch.targets, Tensor)
    order = torch.tensor([3, 0, 6, 5, 1, 4, 2])
    other = Batch(
        inputs={
            "source": padded(inputs["source"][:, order], lengths["source"][order]),
            "lengths": inputs["lengths"][order],
            "given": padded(inputs["given"][:, order], lengths["given"][order]),
        },
        targets=padded(batch.targets[:, order], lengths["targets"][order]),
        lengths={name: own[order] for name, own in lengths.items()},
    )
    cells = random_cells() if not bidirectional else ["lstm"]
    for cell in cells:
        model = made(task, data, partial(double, cell)).double().eval()
        model.writing.__dict__["longest"] = 5
        first, second = everything(model, batch), everything(model, other)
        first["log"] = first["log"][order]
        for name, values in first.items():
            assert torch.allclose(values, second[name], rtol=0, atol=1e-12), (cell, name)


def padded(values_TB: Tensor, lengths_B: Tensor) -> Tensor:
    """Return values with other numbers behind the ends, and three more steps of them."""
    longer_TB = torch.cat([values_TB, values_TB[:3]])
    return longer_TB.where(torch.arange(len(longer_TB))[:, None] < lengths_B, torch.tensor(5))


@pytest.mark.parametrize("attention", ATTENTION)
def test_step_by_step_is_all_at_once(attention: str) -> None:
    task = Seq2Seq(pairs=100, attention=attention, bidirectional=True)
    data = task.load(None)
    model = made(task, data, partial(double, "lstm")).double().eval()
    (batch, *_) = task.batches(data, "valid", Batching(batch=4, length=1))
    memory = model.net.encode(batch.inputs["source"], batch.inputs["lengths"])  # type: ignore[index, call-overload]
    whole, weights = model.net.teach(memory, batch.targets)  # type: ignore[arg-type]
    going = model.net.start(memory)
    for given_B, expected_BV in zip(batch.targets, whole, strict=True):  # type: ignore[arg-type]
        logits_BV, going = model.net.step(given_B, memory, going)
        assert torch.allclose(logits_BV, expected_BV, rtol=0, atol=1e-12)
    if weights is not None:
        assert torch.allclose(weights.sum(-1), torch.ones(()).double(), atol=1e-12)
        assert bool((weights.masked_select(~memory.real_SB.T) == 0).all())


def test_attention_is_what_the_papers_say() -> None:
    """Additive weights by Bahdanau et al. (2015), A.1.2, of the first step, written anew from the equations."""
    task = Seq2Seq(pairs=100, attention="additive")
    data = task.load(None)
    model = made(task, data, partial(double, "gru")).double().eval()
    own = model.net
    source = torch.tensor([[4], [5], [6]])
    memory = own.encode(source, torch.tensor([3]))
    hidden = own.encoder(own.source(source))[0][:, 0]
    before = torch.tanh(own.summary.weight @ hidden[-1] + own.summary.bias)
    energies = [
        own.energy.weight[0] @ torch.tanh(own.query.weight @ before + own.keys.weight @ one + own.keys.bias)
        for one in hidden
    ]
    expected = torch.stack(energies).softmax(0)
    _, weights, _ = own.attend_and_step(torch.tensor([net.START]), memory, own.start(memory))
    assert torch.allclose(weights[0], expected, atol=1e-12)


def test_the_probe_is_the_loss_of_the_last_symbols() -> None:
    task = Seq2Seq(pairs=100, bidirectional=True)
    data = task.load(None)
    model = made(task, data).eval()
    (batch, *_) = task.batches(data, "valid", SMALL)
    probes = model.probe(batch)
    assert set(probes) == {"net.encoder", "net.decoder", "net.from_end"}
    assert set(dict(model.named_modules())) >= set(probes)
    assert torch.equal(probes["net.encoder"].lengths, batch.lengths["source"])  # type: ignore[arg-type, index, call-overload]


# Scores


words = st.lists(st.sampled_from(["the", "cat", "sat", "mat", ",", "é", "你好", "I'm", "."]), max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5), st.sampled_from(["13a", "zh", "char"]))
def test_bleu_and_chrf_are_those_of_sacrebleu(pairs: list[tuple[list[str], list[str]]], tokens: str) -> None:
    import sacrebleu

    outputs, references = ([list(side) for side in sides] for sides in zip(*pairs, strict=True))
    totals = totals_of(scored(outputs, references, by="word", bleu_tokens=tokens))
    texts_of_both = [[" ".join(row) for row in rows] for rows in (outputs, references)]
    bleu = sacrebleu.corpus_bleu(texts_of_both[0], [texts_of_both[1]], tokenize=tokens).score
    chrf = sacrebleu.corpus_chrf(texts_of_both[0], [texts_of_both[1]]).score
    assert BLEU.value(totals) == pytest.approx(bleu, abs=1e-9)
    assert CHRF.value(totals) == pytest.approx(chrf, abs=1e-9)


def test_exact_matches_and_tokens_in_their_places() -> None:
    outputs = [list("abc"), list("ab"), list("abcd"), [], ["a", "<unk>", "c"]]
    statistics = scored(outputs, [list("abc")] * 4 + [["a", "<unk>", "c"]], by="character")
    assert statistics["exact"].tolist() == [100.0, 0.0, 0.0, 0.0, 0.0]
    assert statistics["right"].tolist() == [400.0, 200.0, 300.0, 0.0, 300.0]
    totals = totals_of(statistics)
    assert EXACT.value(totals) == 20.0
    assert TOKENS.value(totals) == pytest.approx(100 * 12 / 20)
    assert "bleu_right" not in statistics


@pytest.mark.parametrize(
    ("options", "score"),
    [
        ({"target_by": "character"}, 100.0),
        ({"target_by": "character", "bleu_tokens": "13a"}, 0.0),  # a sentence is one word
        ({"bleu_tokens": "zh"}, 100.0),
    ],
)
def test_bleu_counts_characters_where_targets_are_such(
    tmp_path: Path, options: dict[str, str], score: float
) -> None:
    signs = "甲乙丙丁戊己庚辛壬癸"
    targets = ["".join(signs[int(digit)] for digit in f"{17 * number:06d}") for number in range(60)]
    path = write(tmp_path / "pairs.tsv", [f"{target}\t{target}" for target in targets])
    task = Seq2Seq(by="word", **options)
    data = task.load(path)
    copied = totals_of(task.floors(data)["copy of the source"])
    assert BLEU.value(copied) == pytest.approx(score)
    assert task.build(data.meta, lambda size: nn.LSTM(size, 8), Regularisation()).writing.bleu_tokens == (
        options.get("bleu_tokens", "char")
    )


def test_what_decides(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", phrases(100))
    for options, source, first in (
        ({}, None, "exact"),
        ({"decide": "chrf"}, None, "chrf"),
        ({"by": "word"}, path, "bleu"),
        ({"by": "character"}, path, "chrf"),
        ({"by": "word", "decide": "exact"}, path, "exact"),
    ):
        task = Seq2Seq(pairs=100, **options)  # type: ignore[arg-type]
        metrics = task.measures(task.load(source).meta).metrics
        assert metrics[0].name == first
        assert len(metrics) == (3 if source is None else 4)


def test_floors_are_the_commonest_target_and_the_source(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write(tmp_path / f"{part}.tsv", [f"{part}\tyes", f"{part}2\tyes", "same\tsame"])
    task = Seq2Seq()
    floors = task.floors(task.load(tmp_path))
    assert floors["most frequent target"]["exact"].tolist() == [100.0, 100.0, 0.0]
    assert floors["copy of the source"]["exact"].tolist() == [0.0, 0.0, 100.0]


@pytest.mark.parametrize("options", [{"by": "word"}, {"by": "character", "target_by": "word"}])
def test_a_source_is_copied_as_it_stands(tmp_path: Path, options: dict[str, str]) -> None:
    for part, lines in {
        "train": ["a b\tx y", "b\ty"],
        "valid": ["b\ty"],
        "test": ["new b\tnew b", "a q\ta b"],
    }.items():
        write(tmp_path / f"{part}.tsv", lines)
    task = Seq2Seq(**options)
    copied = task.floors(task.load(tmp_path))["copy of the source"]
    assert copied["exact"].tolist() == [100.0, 0.0]
    assert copied["right"].tolist() == [300.0, 200.0]


# Learning and looking


def test_it_learns_to_translate_numbers(tmp_path: Path) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    numbers = [f"{number}" for number in range(1110)]
    lines = ["{}\t{}".format(" ".join(n), " ".join(words[int(digit)] for digit in n)) for n in numbers]
    path = write(tmp_path / "pairs.tsv", lines)
    task = Seq2Seq(by="word", decide="exact", embedding=16)
    options: dict[str, Any] = {**Seq2Seq.training_defaults, "batch": 16, "learning_rate": 0.02, "epochs": 5}
    spec = RunSpec(
        role="final",
        task="seq2seq",
        training=TrainingOptions(**options, device="cpu"),
        read_test=True,
        hidden_size=32,
        cell="",
        seed=1,
        data_seed=2,
        name="lstm",
        id="1",
    )
    data = task.load(path)
    trainer = Trainer(spec, task, data, make_rnn=lambda spec, size: nn.LSTM(size, spec.hidden_size))
    while not trainer.finished:
        trainer.run_epoch()
    statistics = trainer.result().test_statistics
    assert statistics is not None
    assert np.mean(statistics["exact"]) > 40.0
    assert all(np.mean(floor["exact"]) < 1.0 for floor in task.floors(data).values())


@pytest.mark.parametrize(("attention", "picture"), [("none", "pairs.png"), ("dot", "attention.png")])
def test_previews(attention: str, picture: str) -> None:
    task = Seq2Seq(pairs=100, attention=attention)
    data = task.load(None)
    model = made(task, data).train()
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    first = task.preview(model, known, seed=1, options=PreviewOptions(length=3))
    assert first.files[picture].startswith(b"\x89PNG")
    assert model.training
    assert first.text.count("target  ") == 3
    assert first.text != task.preview(model, known, seed=2, options=PreviewOptions(length=1)).text
    assert task.preview(model, known, seed=2, options=PreviewOptions(length=0)).text == ""
    own = task.preview(model, known, seed=1, options=PreviewOptions(prompt="4 July $1776\u202e"))
    assert own.text.startswith("source  ") and "target" not in own.text and "\u202e" not in own.text
    for prompt, message in (("x" * 99, "has 99"), ("y" * 61, "1 to ")):
        with pytest.raises(UserError, match=message):
            task.preview(model, known, seed=1, options=PreviewOptions(prompt=prompt))
    with pytest.raises(UserError, match="at least 0; got -1"):
        task.preview(model, known, seed=1, options=PreviewOptions(length=-1))


def test_the_whole_model_is_exported_as_plain_torch(tmp_path: Path) -> None:
    task = Seq2Seq(pairs=100, attention="additive", bidirectional=True, embedding=4)
    data = task.load(None)
    model = made(task, data, lambda size: RNN("slstm", size, 6, backend="eager")).eval()
    plain = task.plain_net(data.meta)
    own, names = plain_copy(
        model.net, plain, lambda size, bidirectional: RNN("slstm", size, 6, backend="eager")
    )
    (batch, *_) = task.batches(data, "valid", SMALL)
    assert torch.equal(own(batch.inputs)[0], model(batch.inputs)[0])
    assert names["TARGET_TOKENS"][:4] == [*SPECIAL]


def test_a_fresh_test_part_is_refused_where_a_source_has_several_targets(tmp_path: Path) -> None:
    task = Seq2Seq(by="word")
    with pytest.raises(UserError, match="items stand in groups"):
        task.fresh_test(task.load(write(tmp_path / "pairs.tsv", phrases(300))), 100, 120)


def test_the_special_symbols_are_one_list() -> None:
    assert [SPECIAL[place] for place in (net.PAD, net.START, net.END, net.UNKNOWN)] == list(SPECIAL)


def test_the_two_sides_of_pairs_in_two_files(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        for side in ("de", "en"):
            (tmp_path / f"{part}.{side}").write_text("one\ntwo\n")
    with pytest.raises(UserError, match=r"put together by: paste train.de train.en > train.tsv\)"):
        Seq2Seq().load(tmp_path)
