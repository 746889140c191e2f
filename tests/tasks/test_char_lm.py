"""Task char-lm: its data, model, scores and preview."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from nas_rnn.tasks.streams import IGNORED
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import FEWEST_CHARACTERS, CharLM


def data_of(text: str, tmp_path: Path) -> TaskData:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    return CharLM().load(path)


def lstm(input_size: int) -> nn.Module:
    return nn.LSTM(input_size, 8)


def test_embedded_text_is_large_and_split_by_position() -> None:
    data = CharLM().load(None)
    train, valid, test = (data.arrays[part] for part in ("train", "valid", "test"))
    total = len(train) + len(valid) + len(test)
    assert total > 300_000
    assert len(train) == total * 8 // 10
    assert abs(len(valid) - len(test)) <= 1
    assert train.dtype == np.uint8
    assert int(max(part.max() for part in data.arrays.values())) == len(data.meta["vocabulary"]) - 1


def test_parts_joined_are_the_file(tmp_path: Path) -> None:
    text = "the quick brown fox " * 7 + "é"
    data = data_of(text, tmp_path)
    joined = np.concatenate([data.arrays[part] for part in ("train", "valid", "test")])
    assert "".join(data.meta["vocabulary"][code] for code in joined) == text
    assert data.meta["source"] == "text.txt"
    assert json.loads(json.dumps(data.meta)) == data.meta


def test_the_shortest_text_has_a_target_in_every_part(tmp_path: Path) -> None:
    task = CharLM()
    for length in range(FEWEST_CHARACTERS, 40):
        data = data_of(("ab" * 20)[:length], tmp_path)
        for part in ("valid", "test"):
            assert len(list(task.batches(data, part, batch=32, length=64, seed=None))) == 1
    with pytest.raises(UserError, match="has 19 characters, too few"):
        data_of("ab" * 9 + "a", tmp_path)


def test_a_single_distinct_character_is_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="single distinct character, 'a'"):
        data_of("a" * 100, tmp_path)


def test_a_large_alphabet_needs_wider_codes(tmp_path: Path) -> None:
    data = data_of("".join(chr(0x4E00 + i) for i in range(300)), tmp_path)
    assert data.arrays["train"].dtype == np.uint16


@pytest.mark.parametrize("embedding", [0, 5])
def test_model_shapes_and_parameters(tmp_path: Path, embedding: int) -> None:
    task = CharLM(embedding=embedding)
    data = data_of("hello world " * 30, tmp_path)
    symbols = len(data.meta["vocabulary"])
    model = task.model(data.meta, lstm, dropout=0.1)
    inputs, targets = next(iter(task.batches(data, "train", batch=3, length=4, seed=0)))
    outputs, state = model(inputs, None)
    assert outputs.shape == (4, 3, symbols)
    model(inputs, state)
    size = embedding or symbols
    recurrent = 4 * 8 * (size + 8 + 2)
    expected = embedding * symbols + recurrent + symbols * (8 + 1)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert task.loss(outputs, targets).shape == ()


def test_one_hot_inputs_are_one_hot(tmp_path: Path) -> None:
    data = data_of("hello world " * 30, tmp_path)
    seen: list[torch.Tensor] = []
    model = CharLM().model(data.meta, lstm, dropout=0.5)
    model.rnn.register_forward_pre_hook(lambda _, args: seen.append(args[0]))  # type: ignore[union-attr]
    symbols = torch.tensor([[0, 3], [2, 1]])
    model(symbols, None)
    assert torch.equal(seen[0], nn.functional.one_hot(symbols, len(data.meta["vocabulary"])).float())


def test_item_scores_are_bits_and_their_weighted_mean_is_the_loss() -> None:
    task = CharLM()
    outputs = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(5, (6, 3), generator=torch.Generator().manual_seed(1))
    targets[2:, 1] = IGNORED
    targets[:, 2] = IGNORED
    values, weights = task.item_scores(outputs, targets)
    assert weights.tolist() == [6, 2, 0]
    assert bool(torch.isfinite(values).all())
    mean = (values * weights).sum() / weights.sum()
    assert float(mean) == pytest.approx(float(task.loss(outputs, targets)) / math.log(2), rel=1e-6)


def test_a_model_that_knows_nothing_scores_the_logarithm_of_the_alphabet() -> None:
    values, weights = CharLM().item_scores(torch.zeros(4, 2, 8), torch.zeros(4, 2, dtype=torch.long))
    assert values.tolist() == pytest.approx([3.0, 3.0])
    assert weights.tolist() == [4, 4]


def preview(prompt: str = "he", temperature: float = 1.0, seed: int = 1, length: int = 30) -> str:
    task = CharLM()
    meta = {"vocabulary": "\n dehlorw"}
    torch.manual_seed(0)
    model = task.model(meta, lstm, dropout=0.5)
    return task.preview(model, meta, seed=seed, length=length, prompt=prompt, temperature=temperature)


def test_preview_goes_on_from_the_prompt_and_repeats_at_a_seed() -> None:
    text = preview()
    assert text.startswith("he")
    assert len(text) == 32
    assert text == preview()
    assert text != preview(seed=2)
    assert preview(temperature=0.0, seed=1) == preview(temperature=0.0, seed=2)
    assert len(preview(prompt="")) == 30
    assert preview(length=0) == "he"


def test_preview_leaves_the_random_state_and_training_mode_alone() -> None:
    task, meta = CharLM(), {"vocabulary": "ab"}
    model = task.model(meta, lstm, dropout=0.5).train()
    before = torch.get_rng_state()
    task.preview(model, meta, seed=1, length=5, prompt="a", temperature=1.0)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def test_low_temperature_does_not_overflow() -> None:
    assert preview(temperature=1e-300) == preview(temperature=0.0)


def test_preview_mistakes() -> None:
    with pytest.raises(UserError, match=r"never saw: X\. Known:"):
        preview(prompt="heX")
    for temperature in (-1.0, math.nan, math.inf):
        with pytest.raises(UserError, match="temperature must be a number of at least 0"):
            preview(temperature=temperature)
    with pytest.raises(UserError, match="at least 0; got -1"):
        preview(length=-1)


def test_the_shares_of_validation_and_test_are_options(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcdefghij" * 100)
    parts = CharLM(valid=0.05, test=0.2).load(path).arrays
    assert {name: len(codes) for name, codes in parts.items()} == {"train": 750, "valid": 50, "test": 200}
    with pytest.raises(UserError, match=r"'test' of task 'char-lm' must lie between 0\.01 and 0\.4"):
        CharLM(test=0.9)
