"""Features of a fixed network: its last layer left out, computed once, kept by the digests of pictures and weights."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.caption import Caption
from nas_rnn.tasks.caption.features import Extractor, features_of, load_weights, without_last_layer
from nas_rnn.tasks.pictures import read_picture
from tests.tasks.caption_files import picture, write_coco, write_pictures


class Prepare(nn.Module):
    """What makes a network's input of a picture, as torchvision's transforms do."""

    def forward(self, picture: Any) -> Tensor:
        pixels = torch.from_numpy(np.array(picture.resize((8, 8)))).permute(2, 0, 1)
        return pixels.float() / 255


class Tiny(nn.Module):
    """A classifier built as AlexNet is: features, pooling, a classifier that ends in a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(36, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 10)
        )
        self.calls = 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.calls += len(pictures)
        scores: Tensor = self.classifier(self.features(pictures).flatten(1))
        return scores


class Squeezed(nn.Module):
    """A classifier whose last layer is a convolution, as SqueezeNet's."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.Conv2d(5, 7, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.classifier(pictures).flatten(1)
        return scores


@pytest.fixture
def tiny() -> Tiny:
    torch.manual_seed(3)
    return Tiny().train()


def paths(folder: Path, count: int = 5) -> list[Path]:
    return [folder / name for name in write_pictures(folder, count)]


def test_the_very_last_layer_is_gone_and_no_other(tiny: Tiny) -> None:
    shorter = without_last_layer(tiny)
    pictures = torch.rand(3, 3, 8, 8)
    tiny.eval()
    expected = tiny.classifier[:4](tiny.features(pictures).flatten(1))
    assert torch.equal(shorter(pictures), expected)
    assert torch.equal(tiny.classifier[4](shorter(pictures)), tiny(pictures))
    assert not shorter.training
    squeezed = Squeezed().eval()
    assert without_last_layer(squeezed)(pictures).shape == (3, 5)
    for other in (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.ReLU(), nn.Linear(2, 2)):
        with pytest.raises(UserError, match="the last layer of"):
            without_last_layer(other)


def test_features_are_the_networks_own_and_computed_once(tmp_path: Path, tiny: Tiny) -> None:
    own = paths(tmp_path / "pictures")
    extractor = Extractor(without_last_layer(tiny), Prepare(), "tiny")
    first = features_of(own, extractor, tmp_path / "cache")
    inputs = torch.stack([Prepare()(read_picture(path, "RGB")) for path in own])
    assert np.array_equal(first, extractor.net(inputs).numpy())
    assert extractor.net.calls == 10  # five here, five above
    again = features_of(own[::-1], Extractor(extractor.net, Prepare(), "tiny"), tmp_path / "cache")
    assert np.array_equal(again, first[::-1])
    assert extractor.net.calls == 10
    (tmp_path / "twin.png").write_bytes(own[0].read_bytes())
    features_of([*own, tmp_path / "twin.png"], extractor, tmp_path / "cache")
    assert extractor.net.calls == 10  # known by its bytes, not by its name
    picture(9).save(own[1])
    other = features_of(own, extractor, tmp_path / "cache")
    assert extractor.net.calls == 11
    assert not np.array_equal(other[1], first[1])
    assert np.array_equal(other[2:], first[2:])
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_other_weights_or_another_preparation_make_other_features(tmp_path: Path, tiny: Tiny) -> None:
    own = paths(tmp_path / "pictures")
    shorter = without_last_layer(tiny)
    before = Extractor(shorter, Prepare(), "tiny").digest
    assert before == Extractor(without_last_layer(tiny), Prepare(), "tiny").digest
    first = features_of(own, Extractor(shorter, Prepare(), "tiny"), tmp_path)
    with torch.no_grad():
        shorter.classifier[1].bias[0] += 1.0  # type: ignore[index, union-attr]
    assert Extractor(shorter, Prepare(), "tiny").digest != before
    assert not np.array_equal(features_of(own, Extractor(shorter, Prepare(), "tiny"), tmp_path), first)
    assert Extractor(without_last_layer(tiny), nn.Identity(), "tiny").digest != before


@pytest.mark.parametrize("damage", ["cut", "shape", "nan", "other"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, tiny: Tiny, damage: str) -> None:
    own = paths(tmp_path / "pictures")
    extractor = Extractor(without_last_layer(tiny), Prepare(), "tiny")
    first = features_of(own, extractor, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    kept = safetensors.numpy.load(file.read_bytes())
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "shape":
        file.write_bytes(safetensors.numpy.save({**kept, "features": kept["features"][1:]}))
    elif damage == "nan":
        file.write_bytes(safetensors.numpy.save({**kept, "features": kept["features"] * np.nan}))
    else:
        file.write_bytes(safetensors.numpy.save({"digests": kept["digests"]}))
    assert np.array_equal(features_of(own, extractor, tmp_path / "cache"), first)
    assert np.array_equal(safetensors.numpy.load(file.read_bytes())["features"], kept["features"])


def test_where_nothing_can_be_kept_it_goes_on(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "cache").write_text("a file")
    extractor = Extractor(without_last_layer(tiny), Prepare(), "tiny")
    assert features_of(paths(tmp_path / "pictures"), extractor, tmp_path / "cache").shape == (5, 6)


def test_a_network_that_gives_no_row_of_numbers(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1))
    extractor = Extractor(without_last_layer(net), Prepare(), "flat")
    with pytest.raises(UserError, match="flat without its last layer gives no row of finite numbers"):
        features_of(paths(tmp_path / "pictures"), extractor, tmp_path / "cache")


def torchvision_stub(monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> None:
    """Put a small torchvision in its place, with one classifier."""

    class Weights:
        url = "https://example.org/tiny.pth"

        def transforms(self) -> Prepare:
            return Prepare()

    class All:
        DEFAULT = Weights()

    def get_model(name: str, weights: Any) -> nn.Module:
        if weights is not None and fails:
            raise OSError("no network")
        torch.manual_seed(3)
        return Tiny()

    models: Any = ModuleType("torchvision.models")
    models.get_model, models.get_model_weights = get_model, lambda name: All
    models.list_models = lambda module: ["tiny"]
    package: Any = ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


def test_the_task_reads_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision_stub(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    task = Caption(extractor="tiny", embedding=4)
    source = write_coco(tmp_path, 40)
    data = task.load(source)
    assert data.meta["shape"] == [6]
    assert len(list((tmp_path / "cache" / "nas_rnn" / "features").iterdir())) == 1
    model = task.build(data.meta, lambda size: nn.LSTM(size, 5), Regularisation())
    assert isinstance(model.net.picture[2], nn.Linear) and model.net.picture[2].in_features == 6
    (batch, *_) = task.batches(data, "valid", Batching(batch=8, length=1))
    assert bool(model.eval().loss(batch, None)[0].total.isfinite())
    prompt = PreviewOptions(prompt=str(tmp_path / "images" / "0001.png"))
    known = TaskData({}, data.meta)
    for options in (PreviewOptions(length=2), prompt):
        assert (
            task.preview(model, known, seed=1, options=options).files["captions.png"].startswith(b"\x89PNG")
        )


def test_extractors_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny) -> None:
    source = write_coco(tmp_path, 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(
        UserError, match=r"needs torchvision; install it with: pip install 'nas_rnn\[vision\]'"
    ):
        Caption(extractor="alexnet").load(source)
    torchvision_stub(monkeypatch, fails=True)
    with pytest.raises(UserError, match=r"unknown extractor 'alexnot'.*Known: conv, tiny"):
        Caption(extractor="alexnot").load(source)
    with pytest.raises(UserError, match=r"the weights of tiny cannot be fetched: no network; fetch https://"):
        Caption(extractor="tiny").load(source)
    torch.save(tiny.state_dict(), tmp_path / "tiny.pth")
    assert Caption(extractor="tiny", weights=str(tmp_path / "tiny.pth")).load(source).meta["shape"] == [6]


def test_weights_that_cannot_be_taken(tmp_path: Path, tiny: Tiny) -> None:
    class Wicked:
        def __reduce__(self) -> Any:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    torch.save({"a": Wicked()}, tmp_path / "wicked.pth")
    torch.save({"other": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\0" * 9)
    for name in ("wicked.pth", "other.pth", "cut.safetensors"):
        with pytest.raises(UserError, match="cannot take the weights of") as caught:
            load_weights(tiny, tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UserError, match="there is no file of weights"):
        load_weights(tiny, tmp_path / "none.pth")
