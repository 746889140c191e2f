"""Task char-lm: its data, model, scores and preview."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, Loss, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.char_lm.model import CharModel
from nas_rnn.tasks.char_lm.task import EMBEDDED_CHARACTERS, FEWEST_CHARACTERS, python_reference
from nas_rnn.tasks.data import EVALUATION, PARTS, Part
from nas_rnn.tasks.metric import totals_of
from nas_rnn.tasks.streams import IGNORED


def data_of(text: str, tmp_path: Path) -> TaskData:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    return CharLM().load(path)


def lstm(input_size: int) -> nn.Module:
    return nn.LSTM(input_size, 8)


def test_of_the_embedded_text_the_beginning_is_taken_unless_it_is_said_otherwise() -> None:
    for characters, expected in ((0, EMBEDDED_CHARACTERS), (1000, 1000), (10**7, len(python_reference()))):
        data = CharLM(characters=characters).load(None)
        assert sum(len(data.part(part)["codes"]) for part in PARTS) == expected


def test_embedded_text_is_large_and_split_by_position() -> None:
    data = CharLM(characters=10**7, places=1).load(None)
    train, valid, test = (data.part(part)["codes"] for part in PARTS)
    total = len(train) + len(valid) + len(test)
    assert total > 300_000
    assert len(train) == total * 8 // 10
    assert abs(len(valid) - len(test)) <= 1
    assert train.dtype == np.uint8
    assert int(max(codes.max() for codes in (train, valid, test))) == len(data.meta["vocabulary"]) - 1


def test_parts_joined_are_the_file(tmp_path: Path) -> None:
    text = "the quick brown fox " * 7 + "é"
    data = data_of(text, tmp_path)
    joined = np.concatenate([data.part(part)["codes"] for part in PARTS])
    assert "".join(data.meta["vocabulary"][code] for code in joined) == text
    assert data.meta["source"] == "text.txt"
    assert json.loads(json.dumps(data.meta)) == data.meta


def test_only_the_beginning_of_a_text_is_used_where_so_asked() -> None:
    whole, part = (CharLM(characters=count, places=1).load(None) for count in (0, 5000))
    codes = np.concatenate([part.part(name)["codes"] for name in PARTS])
    assert len(codes) == 5000
    read = [
        "".join(data.meta["vocabulary"][code] for code in found[:3000])
        for data, found in ((part, codes), (whole, whole.part("train")["codes"]))
    ]
    assert read[0] == read[1]
    with pytest.raises(UserError, match="has 7 characters, too few"):
        CharLM(characters=7).load(None)


def spelled(data: TaskData, part: Part) -> str:
    return "".join(data.meta["vocabulary"][code] for code in data.part(part)["codes"])


def test_parts_come_from_as_many_places_as_asked(tmp_path: Path) -> None:
    # A hundred characters of each of four chapters, numbered within.
    text = "".join(f"{chapter}{place:03d}" for chapter in "abcd" for place in range(100))
    path = tmp_path / "text.txt"
    path.write_text(text)
    data = CharLM(places=4).load(path)
    for part, first, last in (("train", 0, 80), ("valid", 80, 90), ("test", 90, 100)):
        wanted = "".join(f"{chapter}{place:03d}" for chapter in "abcd" for place in range(first, last))
        assert spelled(data, part) == wanted
    uneven = CharLM(places=3, valid=0.13, test=0.07).load(path)
    assert sorted("".join(spelled(uneven, part) for part in PARTS)) == sorted(text)


def test_the_embedded_text_gives_of_many_places_and_a_file_of_its_end(tmp_path: Path) -> None:
    def codes(task: CharLM, source: Path | None) -> list[bytes]:
        return [task.load(source).part(part)["codes"].tobytes() for part in PARTS]

    path = tmp_path / "text.txt"
    path.write_text(python_reference()[:EMBEDDED_CHARACTERS])
    assert codes(CharLM(), None) == codes(CharLM(places=8), path) != codes(CharLM(), path)
    assert codes(CharLM(), path) == codes(CharLM(places=1), None)
    assert (
        len(CharLM(characters=100).load(None).part("test")["codes"]) == 10
    )  # eight places would be too many


def test_more_places_than_a_text_has_room_for_are_refused() -> None:
    with pytest.raises(UserError, match=r"places=8 cuts a text of 1,000 characters .* take places=3 at most"):
        CharLM(characters=1000, places=8).load(None)
    assert CharLM(characters=1000, places=3).load(None)
    with pytest.raises(UserError, match=r"places=2 .* take places=1, or a longer text"):
        CharLM(characters=500, places=2).load(None)


def test_parts_of_different_kinds_are_told(tmp_path: Path) -> None:
    def told(validation: str, test: str) -> list[str]:
        data = data_of("the cat sat on the mat. " * 320 + validation * 40 + test * 40, tmp_path)
        return [notice for notice in CharLM().notices(data) if "different kinds of text" in notice]

    known, shuffled = "the cat sat on the mat. ", "tah mce to etnt .sa hat "
    assert not told(known, known)
    assert not told(shuffled, shuffled)
    (notice,) = told(known, shuffled)
    assert "--task-option places=8" in notice
    data = CharLM(places=8).load(tmp_path / "text.txt")
    assert not [notice for notice in CharLM(places=8).notices(data) if "different kinds" in notice]
    # Of two short parts a difference is chance.
    data = data_of("the cat sat on the mat. " * 8 + "mat on the cat. the sat ", tmp_path)
    assert not [notice for notice in CharLM().notices(data) if "different kinds" in notice]


@pytest.mark.parametrize(("options", "advised"), [({}, 4), ({"valid": 0.2}, 4), ({"valid": 0.05}, 2)])
def test_no_more_places_are_advised_than_a_text_has_room_for(
    tmp_path: Path, options: dict[str, float], advised: int
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("ab" * 680 + "ba" * 20 + "dccdcccd" * 20)
    task = CharLM(**options)
    (notice,) = (one for one in task.notices(task.load(path)) if "different kinds of text" in one)
    assert f"--task-option places={advised} takes" in notice
    assert CharLM(**options, places=advised).load(path)


def test_what_is_set_already_is_not_advised(tmp_path: Path) -> None:
    path, task = tmp_path / "text.txt", CharLM(places=8)
    path.write_text(("ab" * 400 + "ba" * 50 + "dccdc" * 20) * 8)
    (notice,) = (one for one in task.notices(task.load(path)) if "different kinds of text" in one)
    assert "places" not in notice


def test_the_shortest_text_has_a_target_in_every_part(tmp_path: Path) -> None:
    task = CharLM()
    for length in range(FEWEST_CHARACTERS, 40):
        data = data_of(("ab" * 20)[:length], tmp_path)
        for part in PARTS[1:]:
            scored = [batch for batch in task.batches(data, part, EVALUATION) if not batch.context]
            assert len(scored) == 1
    with pytest.raises(UserError, match="has 19 characters, too few"):
        data_of("ab" * 9 + "a", tmp_path)


def test_a_single_distinct_character_is_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="single distinct character, 'a'"):
        data_of("a" * 100, tmp_path)


def test_a_large_alphabet_needs_wider_codes(tmp_path: Path) -> None:
    data = data_of("".join(chr(0x4E00 + i) for i in range(300)), tmp_path)
    assert data.part("train")["codes"].dtype == np.uint16


def built(task: CharLM, meta: dict[str, Any], dropout: float = 0.5) -> CharModel:
    return task.build(meta, lstm, Regularisation(dropout=dropout))


@pytest.mark.parametrize("embedding", [0, 5])
def test_model_shapes_and_parameters(tmp_path: Path, embedding: int) -> None:
    task = CharLM(embedding=embedding)
    data = data_of("hello world " * 30, tmp_path)
    symbols = len(data.meta["vocabulary"])
    model = built(task, dict(data.meta), dropout=0.1)
    batch = next(iter(task.batches(data, "train", Batching(batch=3, length=4, seed=0))))
    outputs, state = model(batch.inputs, None)
    assert outputs.shape == (4, 3, symbols)
    model(batch.inputs, state)
    size = embedding or symbols
    recurrent = 4 * 8 * (size + 8 + 2)
    expected = embedding * symbols + recurrent + symbols * (8 + 1)
    assert sum(p.numel() for p in model.parameters()) == expected
    loss, _ = model.loss(batch, None)
    assert loss.total.shape == ()
    assert loss.count == 12


def test_one_hot_inputs_are_one_hot(tmp_path: Path) -> None:
    data = data_of("hello world " * 30, tmp_path)
    seen: list[torch.Tensor] = []
    model = built(CharLM(), dict(data.meta))
    model.net.rnn.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    symbols = torch.tensor([[0, 3], [2, 1]])
    model(symbols, None)
    assert torch.equal(seen[0], nn.functional.one_hot(symbols, len(data.meta["vocabulary"])).float())


class Says(nn.Module):
    """A net that answers with fixed logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, inputs: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        return self.logits, state


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> Loss:
    batch = Batch(inputs=torch.zeros_like(targets), targets=targets, items=torch.arange(targets.shape[1]))
    return CharModel(Says(logits)).eval().loss(batch, None)[0]  # type: ignore[arg-type]


def test_statistics_are_bits_and_characters_and_their_ratio_is_the_loss() -> None:
    outputs = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(5, (6, 3), generator=torch.Generator().manual_seed(1))
    targets[2:, 1] = IGNORED
    targets[:, 2] = IGNORED
    loss = loss_of(outputs, targets)
    bits, characters = loss.statistics["bits"], loss.statistics["characters"]
    assert characters.tolist() == [6, 2, 0]
    assert loss.count == 8
    assert bool(torch.isfinite(bits).all())
    assert bits[2] == 0.0
    mean = bits.sum() / characters.sum()
    assert float(mean) == pytest.approx(float(loss.total) / math.log(2), rel=1e-6)
    totals = totals_of({name: values.double().numpy() for name, values in loss.statistics.items()})
    assert CharLM.metrics[0].value(totals) == pytest.approx(float(mean))


def test_a_model_that_knows_nothing_scores_the_logarithm_of_the_alphabet() -> None:
    loss = loss_of(torch.zeros(4, 2, 8), torch.zeros(4, 2, dtype=torch.long))
    assert loss.statistics["bits"].tolist() == pytest.approx([12.0, 12.0])
    assert loss.statistics["characters"].tolist() == [4, 4]
    assert float(loss.curve) == pytest.approx(3 * math.log(2))


def test_the_probe_is_the_loss_of_the_last_step() -> None:
    logits = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(5, (6, 3), generator=torch.Generator().manual_seed(1))
    probes = CharModel(Says(logits)).probe(Batch(inputs=targets, targets=targets))  # type: ignore[arg-type]
    assert list(probes) == ["net.rnn"]
    assert float(probes["net.rnn"].loss) == float(nn.functional.cross_entropy(logits[-1], targets[-1]))


def preview(prompt: str = "he", temperature: float = 1.0, seed: int = 1, length: int = 30) -> str:
    task = CharLM()
    meta = {"vocabulary": "\n dehlorw"}
    torch.manual_seed(0)
    options = PreviewOptions(length=length, prompt=prompt, temperature=temperature)
    model = built(task, meta)
    shown = task.preview(model, TaskData({}, meta), seed=seed, options=options)
    assert set(shown.files) == {"sample.txt", "sample.png"}
    assert shown.files["sample.txt"] == shown.text.encode()
    data = TaskData({"valid": {"codes": np.arange(300, dtype=np.uint8) % 9}}, meta)
    full = task.preview(model, data, seed=seed, options=options)
    assert full.text == shown.text
    assert full.files["surprise.png"].startswith(b"\x89PNG")
    return shown.text


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
    model = built(task, meta).train()
    before = torch.get_rng_state()
    task.preview(model, TaskData({}, meta), seed=1, options=PreviewOptions(length=5, prompt="a"))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training and model.net.training


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
    parts = CharLM(valid=0.05, test=0.2).load(path).parts
    assert {name: len(arrays["codes"]) for name, arrays in parts.items()} == {
        "train": 750,
        "valid": 50,
        "test": 200,
    }
    with pytest.raises(UserError, match=r"'test' of task 'char-lm' must lie between 0\.01 and 0\.4"):
        CharLM(test=0.9)
