"""Task caption: its embedded signs, batches, model, writing, scores, floors and previews."""

from __future__ import annotations

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
from nas_rnn.plugins import load_space
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.bleu import bleu_counter
from nas_rnn.tasks.caption import Caption, net
from nas_rnn.tasks.caption.figures import lines_of
from nas_rnn.tasks.caption.floors import rows_of
from nas_rnn.tasks.caption.model import Captioner
from nas_rnn.tasks.caption.scores import BLEU, CIDER, EXACT, NATS, PERPLEXITY, frequencies, scored
from nas_rnn.tasks.metric import totals_of
from nas_rnn.tasks.vocabulary import SPECIAL
from nas_rnn.testing.tasks import check_task
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer
from tests.export.cases import plain_copy
from tests.tasks.caption_files import caption_of, write_coco

SMALL = Batching(batch=8, length=1)
TINY: dict[str, Any] = {"channels": 2, "embedding": 4, "features": 3}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco"))


@pytest.fixture(scope="module")
def signs() -> TaskData:
    return Caption().load(None)


def made(task: Caption, data: TaskData, make_rnn: Any = lambda size: nn.LSTM(size, 8)) -> Captioner:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation())


@pytest.mark.parametrize(
    "options",
    [{"fed": "first", "beam": 2}, {"fed": "every", "embedding": 0, "by": "character", "colour": False}],
)
def test_it_keeps_what_a_task_must(source: Path, options: dict[str, Any]) -> None:
    assert check_task(partial(Caption, size=16, **TINY | options), source) == []


def test_so_it_does_without_data() -> None:
    assert check_task(partial(Caption, size=12, valid=0.04, test=0.04, **TINY)) == []


# The embedded signs


def test_signs_have_their_names_and_those_that_look_alike_share_a_picture(signs: TaskData) -> None:
    tokens = signs.meta["tokens"]
    names = list[list[str]]()
    pictures = set[bytes]()
    for part in signs.parts.values():
        names += [
            [" ".join(tokens[symbol - len(SPECIAL)] for symbol in row) for row in rows_of(own)]
            for own in part["references"]
        ]
        pictures |= {picture.tobytes() for picture in part["pictures"]}
    assert len(pictures) == len(names) > 1000
    assert ["latin small letter e with acute"] in names
    assert any({"latin capital letter a", "greek capital letter alpha"} <= {*own} for own in names)
    assert signs.meta["shape"] == [1, 20, 20]
    again = Caption().load(None)
    assert all(
        np.array_equal(array, again.parts[part][name])
        for part, arrays in signs.parts.items()
        for name, array in arrays.items()
    )


def test_a_font_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(UserError, match="matplotlib has no font"):
        Caption().load(None)


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("PIL", "needs pillow"),
        ("sacrebleu.metrics.bleu", "BLEU needs sacrebleu"),
        ("pycocoevalcap.cider.cider_scorer", "CIDEr needs pycocoevalcap"),
    ],
)
def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, package: str, message: str) -> None:
    from nas_rnn.tasks.caption import scores

    bleu_counter.cache_clear()
    scores._scorer.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{message}; install it with: pip install 'nas_rnn\[caption\]'"):
        Caption().load(None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"valid": 0.45, "test": 0.4}, "valid=0.45 and test=0.4 leave too little to train on"),
        ({"extractor": "alexnet"}, "extractor=alexnet is for pictures of your own; give some with --data"),
        ({"longest": 1, "by": "character"}, "no name of a sign has at most 1 characters"),
        ({"fed": "last"}, "Known: every, first"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Caption(**options).load(None)


# Batches


def test_training_gives_every_caption_once_and_evaluation_every_picture(source: Path) -> None:
    task = Caption(size=16)
    data = task.load(source)
    references = data.part("train")["references"]
    seen = list[tuple[int, tuple[int, ...]]]()
    for batch in task.batches(data, "train", Batching(batch=16, length=1, seed=1, epoch=2)):
        assert isinstance(batch.inputs, dict) and isinstance(batch.targets, dict) and batch.items is not None
        assert isinstance(batch.lengths, dict)
        assert batch.inputs["owner"].tolist() == list(range(len(batch.items)))
        for column, item in enumerate(batch.items.tolist()):
            length = int(batch.lengths["captions"][column])
            caption = batch.targets["captions"][:length, column].tolist()
            assert caption[-1] == net.END
            assert batch.inputs["given"][:length, column].tolist() == [net.START, *caption[:-1]]
            seen.append((item, tuple(caption[:-1])))
    expected = [(item, tuple(row)) for item, own in enumerate(references) for row in rows_of(own)]
    assert sorted(seen) == sorted(expected)
    for part in ("valid", "test"):
        items = list[int]()
        for batch in task.batches(data, part, SMALL):  # type: ignore[arg-type]
            assert isinstance(batch.targets, dict) and batch.items is not None
            items += batch.items.tolist()
            assert batch.targets["captions"].shape[1] == 2 * len(batch.items)
        assert sorted(items) == list(range(len(data.part(part)["references"])))  # type: ignore[arg-type]


# The model


def random_cells() -> list[Any]:
    """Return cells of several spaces, whose states differ in number and size."""
    found = list[Any](["lstm", "gru", "slstm"])
    for place, name in enumerate(("gated", "nas_bench_nlp", "darts")):
        found.append(load_space(name).sample(np.random.default_rng(place)).cell)
    return found


def double(cell: Any, size: int) -> RNN:
    return RNN(cell, size, 6, backend="eager", dtype=torch.float64)


def doubled(batch: Batch) -> Batch:
    assert isinstance(batch.inputs, dict)
    inputs = {**batch.inputs, "pictures": batch.inputs["pictures"].double()}
    return Batch(inputs=inputs, targets=batch.targets, lengths=batch.lengths, items=batch.items)


def everything(model: Captioner, batch: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    loss, _ = model.loss(batch, None)
    loss.total.backward()  # type: ignore[no-untyped-call]
    found = {"loss": loss.total.detach(), **loss.statistics}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        found[name] = parameter.grad.clone()
    found["log"] = model.write(batch.inputs["pictures"]).log_B  # type: ignore[index, call-overload]
    return found


@pytest.mark.parametrize("fed", ["first", "every"])
def test_any_cell_will_do_and_padding_and_order_change_nothing(source: Path, fed: str) -> None:
    task = Caption(size=16, fed=fed, beam=2, **TINY)
    data = task.load(source)
    (batch, *_) = task.batches(data, "valid", Batching(batch=6, length=1))
    batch = doubled(batch)
    inputs, targets, lengths = batch.inputs, batch.targets, batch.lengths
    assert isinstance(inputs, dict) and isinstance(targets, dict) and isinstance(lengths, dict)
    count, captions = len(inputs["pictures"]), len(inputs["owner"])
    random = torch.Generator().manual_seed(0)
    order, columns = (torch.randperm(size, generator=random) for size in (count, captions))
    owner = order.argsort()[inputs["owner"][columns]]
    own = lengths["captions"][columns]
    other = Batch(
        inputs={
            "pictures": inputs["pictures"][order],
            "given": padded(inputs["given"][:, columns], own),
            "owner": owner,
        },
        targets={**targets, "captions": padded(targets["captions"][:, columns], own), "owner": owner},
        lengths={"given": own, "captions": own},
        items=torch.arange(count),
    )
    for cell in random_cells():
        model = made(task, data, partial(double, cell)).double().eval()
        first, second = everything(model, batch), everything(model, other)
        for name in ("log", "nats", "words"):
            first[name] = first[name][order]
        for name, values in first.items():
            assert torch.allclose(values, second[name], rtol=0, atol=1e-12), (cell, name)


def padded(values_TC: Tensor, lengths_C: Tensor) -> Tensor:
    """Return values with other numbers behind the ends, and three more steps of them."""
    longer_TC = torch.cat([values_TC, values_TC[:3]])
    return longer_TC.where(torch.arange(len(longer_TC))[:, None] < lengths_C, torch.tensor(5))


@pytest.mark.parametrize("fed", ["first", "every"])
@pytest.mark.parametrize("embedding", [0, 3])
def test_step_by_step_is_all_at_once(source: Path, fed: str, embedding: int) -> None:
    task = Caption(size=16, fed=fed, **TINY | {"embedding": embedding})
    data = task.load(source)
    model = made(task, data, partial(double, "lstm")).double().eval()
    (batch, *_) = task.batches(data, "train", Batching(batch=4, length=1))
    inputs = doubled(batch).inputs
    assert isinstance(inputs, dict)
    whole = model.net(inputs)[0]
    seen = model.net.picture(inputs["pictures"])
    state = model.net.start(seen)
    for given_C, expected_CV in zip(inputs["given"], whole, strict=True):
        logits_CV, state = model.net.step(given_C, seen, state)
        assert torch.allclose(logits_CV, expected_CV, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("fed", "more"), [("first", 1), ("every", 0)])
def test_the_loss_is_a_mean_over_words_and_statistics_are_of_pictures(
    source: Path, fed: str, more: int
) -> None:
    task = Caption(size=16, fed=fed, **TINY)
    data = task.load(source)
    model = made(task, data).eval()
    (batch,) = task.batches(data, "valid", Batching(batch=50, length=1))
    with torch.no_grad():
        loss, _ = model.loss(batch, None)
    references = data.part("valid")["references"]
    assert batch.items is not None
    words = [sum(len(row) + 1 for row in rows_of(references[item])) for item in batch.items.tolist()]
    assert loss.statistics["words"].tolist() == words
    assert loss.count == sum(words)
    nats = float(loss.statistics["nats"].sum())
    assert float(loss.total) == pytest.approx(nats / sum(words), rel=1e-5)
    totals = totals_of({name: values.numpy() for name, values in loss.statistics.items()})
    assert PERPLEXITY.value(totals) == pytest.approx(np.exp(NATS.value(totals)))
    (path, probe), *_ = model.probe(batch).items()
    assert isinstance(model.get_submodule(path), nn.LSTM)
    assert isinstance(batch.lengths, dict)
    assert probe.lengths is not None
    assert torch.equal(probe.lengths, batch.lengths["captions"] + more)


def test_the_picture_reaches_the_words(source: Path) -> None:
    task = Caption(size=16, **TINY)
    data = task.load(source)
    for fed in ("first", "every"):
        model = made(Caption(size=16, fed=fed, **TINY), data).eval()
        (batch, *_) = task.batches(data, "valid", SMALL)
        inputs: Any = batch.inputs
        other = {**inputs, "pictures": inputs["pictures"].flip(0)}
        assert not torch.allclose(model.net(inputs)[0][-1], model.net(other)[0][-1])


def test_no_caption_holds_what_none_should(source: Path) -> None:
    task = Caption(size=16, **TINY)
    data = task.load(source)
    model = made(task, data).eval()
    with torch.no_grad():
        model.net.output.bias[[net.PAD, net.START, net.UNKNOWN]] = 50.0
    (batch, *_) = task.batches(data, "valid", SMALL)
    written = model.write(batch.inputs["pictures"]).rows()  # type: ignore[index, call-overload]
    assert not {net.PAD, net.START, net.UNKNOWN, net.END} & {symbol for row in written for symbol in row}


def test_the_special_symbols_are_one_list() -> None:
    assert [SPECIAL[place] for place in (net.PAD, net.START, net.END, net.UNKNOWN)] == list(SPECIAL)


# Scores


captions = st.lists(st.integers(4, 9), min_size=1, max_size=7)
pictures = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=5)), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(pictures, st.integers(1, 5), st.sampled_from([10, 3_000_000]))
def test_scores_are_those_of_the_libraries_also_piece_by_piece(
    items: list[tuple[list[int], list[list[int]]]], size: int, base: int
) -> None:
    import sacrebleu
    from pycocoevalcap.cider.cider import Cider

    outputs, references = [output for output, _ in items], [own for _, own in items]
    padded = np.zeros((len(items), 5, 7), dtype=np.uint16)
    for item, own in enumerate(references):
        for number, row in enumerate(own):
            padded[item, number, : len(row)] = row
    known = frequencies(padded, base)
    pieces = [
        scored(outputs[first : first + size], references[first : first + size], known)
        for first in range(0, len(items), size)
    ]
    totals = totals_of({name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]})
    texts = [" ".join(map(str, output)) for output in outputs]
    wanted = [[" ".join(map(str, row)) for row in own] for own in references]
    most = max(map(len, wanted))
    columns = [[own[place] if place < len(own) else None for own in wanted] for place in range(most)]
    bleu = sacrebleu.corpus_bleu(texts, columns, tokenize="none", force=True).score
    cider, _ = Cider().compute_score(dict(enumerate(wanted)), {n: [text] for n, text in enumerate(texts)})
    assert BLEU.value(totals) == pytest.approx(bleu, abs=1e-9)
    assert CIDER.value(totals) == pytest.approx(float(cider), abs=1e-9)
    exact = np.mean([text in own for text, own in zip(texts, wanted, strict=True)])
    assert EXACT.value(totals) == pytest.approx(100 * exact)


def test_a_caption_of_words_that_nobody_used_is_worth_nothing() -> None:
    known = frequencies(np.array([[[4, 5]], [[6, 7]]]), 10)
    found = scored([[8, 9], []], [[[4, 5]], [[6, 7]]], known)
    assert found["cider"].tolist() == [0.0, 0.0]
    assert found["exact"].tolist() == [0.0, 0.0]


def test_floors_do_not_look_at_pictures(source: Path) -> None:
    task = Caption(size=16)
    data = task.load(source)
    floors = task.floors(data)
    words, pairs = (totals_of(statistics) for statistics in floors.values())
    assert PERPLEXITY.value(pairs) < PERPLEXITY.value(words)
    assert words["exact"] == pairs["exact"]
    # the frequent words' perplexity, by hand
    train, test = data.part("train")["references"], data.part("test")["references"]
    counts = np.zeros(len(SPECIAL) + data.meta["known"])
    for row in (row for own in train for row in rows_of(own)):
        np.add.at(counts, [*row, net.END], 1)
    counts[net.END :] += 1
    share = counts / counts.sum()
    nats = [-np.log(share[[*row, net.END]]).sum() for own in test for row in rows_of(own)]
    assert words["nats"] == pytest.approx(sum(nats))
    flat = {name: array for name, array in data.part("test").items() if name != "pictures"}
    blind = TaskData({**data.parts, "test": flat}, data.meta)
    assert task.floors(blind).keys() == floors.keys()


# Learning and looking


def spec(epochs: int, **training: Any) -> RunSpec:
    options = TrainingOptions(**{**Caption.training_defaults, "epochs": epochs, "device": "cpu", **training})
    return RunSpec(
        role="final",
        task="caption",
        training=options,
        read_test=True,
        hidden_size=24,
        cell="",
        seed=1,
        data_seed=2,
        name="lstm",
        id="1",
    )


def test_it_learns_to_say_what_pictures_show(tmp_path: Path) -> None:
    task = Caption(size=16, embedding=8, channels=4)
    data = task.load(write_coco(tmp_path, count=150, references=1))
    trainer = Trainer(
        spec(40, batch=16, learning_rate=0.02),
        task,
        data,
        make_rnn=lambda s, size: nn.LSTM(size, s.hidden_size),
    )
    while not trainer.finished:
        trainer.run_epoch()
    statistics = trainer.result().test_statistics
    assert statistics is not None
    assert np.mean(statistics["exact"]) > 50.0
    floor = totals_of(next(iter(task.floors(data).values())))
    totals = totals_of({name: np.array(values) for name, values in statistics.items()})
    assert CIDER.value(totals) > 2 * CIDER.value(floor)
    assert PERPLEXITY.value(totals) < 0.5 * PERPLEXITY.value(floor)


def test_previews(source: Path, tmp_path: Path) -> None:
    task = Caption(size=16, **TINY)
    data = task.load(source)
    model = made(task, data).train()
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    first = task.preview(model, known, seed=1, options=PreviewOptions(length=3))
    assert first.files["captions.png"].startswith(b"\x89PNG")
    assert first.text.count("written    ") == 3 and first.text.count("reference  ") == 6
    assert model.training
    assert first == task.preview(model, known, seed=1, options=PreviewOptions(length=3))
    assert first.text != task.preview(model, known, seed=2, options=PreviewOptions(length=1)).text
    assert task.preview(model, known, seed=2, options=PreviewOptions(length=0)).text == ""
    own = source.parent / "images" / "0003.png"
    told = task.preview(model, known, seed=1, options=PreviewOptions(prompt=str(own)))
    assert told.text.startswith("written    ") and "reference" not in told.text
    (tmp_path / "none.png").write_bytes(b"no picture")
    for prompt, message in (
        ("no.jpg", "there is no file no.jpg"),
        (str(tmp_path / "none.png"), "cannot read"),
    ):
        with pytest.raises(UserError, match=message):
            task.preview(model, known, seed=1, options=PreviewOptions(prompt=prompt))
    with pytest.raises(UserError, match="at least 0; got -1"):
        task.preview(model, known, seed=1, options=PreviewOptions(length=-1))


def test_a_prompt_is_written_of_as_the_same_picture_of_the_data(source: Path) -> None:
    task = Caption(size=16, **TINY)
    data = task.load(source)
    pixels, _ = task._read(source.parent / "images" / "0003.png", data.meta)
    assert any(np.array_equal(pixels, other) for part in data.parts.values() for other in part["pictures"])
    assert caption_of(3)[0] == "white" and int(pixels.max()) == 250


@pytest.mark.parametrize("fed", ["first", "every"])
def test_the_whole_model_is_exported_as_plain_torch(source: Path, fed: str) -> None:
    task = Caption(size=16, fed=fed, **TINY)
    data = task.load(source)
    model = made(task, data, lambda size: RNN("slstm", size, 6, backend="eager")).eval()
    plain = task.plain_net(data.meta)
    own, names = plain_copy(
        model.net, plain, lambda size, bidirectional: RNN("slstm", size, 6, backend="eager")
    )
    (batch, *_) = task.batches(data, "valid", SMALL)
    assert torch.equal(own(batch.inputs)[0], model(batch.inputs)[0])
    assert names["TOKENS"][:4] == [*SPECIAL]


def test_a_fresh_test_part_has_its_own_frequencies(source: Path) -> None:
    task = Caption(size=16)
    data = task.load(source)
    cut = task.fresh_test(data, 20, 30)
    references = data.part("train")["references"][20:30]
    expected = frequencies(references, len(SPECIAL) + len(data.meta["tokens"]))
    assert np.array_equal(cut.part("test")["series"], np.stack([expected.keys_G, expected.counts_G]))
    assert cut.meta["mean"] == pytest.approx(float(data.part("train")["pictures"][:20].mean()))


@pytest.mark.parametrize(
    ("texts", "most", "lines"),
    [
        (["a dog runs"], 3, ["a dog runs"]),
        (["a dog", "a cat"], 3, ["– a dog", "– a cat"]),
        (["a dog", "word " * 12, "a cat"], 2, ["– a dog"]),
        (["a dog", "word " * 12], 3, ["– a dog", "– " + "word " * 7 + "word", "    word word word word"]),
        (["word " * 30], 2, ["word " * 8 + "word", "word " * 8 + "word …"]),
        ([""], 2, []),
        ([], 2, []),
    ],
)
def test_texts_beside_a_picture_are_whole(texts: list[str], most: int, lines: list[str]) -> None:
    assert lines_of(texts, most) == lines
