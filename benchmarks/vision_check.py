"""Whether the cached features of pictures are the output of AlexNet without its last layer, with seeded weights.

    pip install 'nas_rnn[vision]'
    python benchmarks/vision_check.py

No weights are fetched: those of AlexNet as torchvision makes it after a seed are saved to a file, from which the
features are computed as the task `caption` does it with option ``weights``. They must equal, number for number up to
float32's rounding, AlexNet's features through its classifier up to, and without, the last linear layer; and come from
the cache when they are asked for again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nas_rnn.tasks.caption.features import features_of, published


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pictures", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=0)
    own = arguments.parse_args()
    import torchvision
    from torchvision.models import AlexNet_Weights, alexnet

    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(Path(folder), own.pictures, own.seed)
        torch.manual_seed(own.seed)
        net = alexnet(weights=None).eval()
        weights = Path(folder) / "alexnet.pth"
        torch.save(net.state_dict(), weights)
        extractor = published("alexnet", str(weights))
        cache = Path(folder) / "cache"
        features, first = timed(lambda: features_of(paths, extractor, cache))
        again, second = timed(lambda: features_of(paths, published("alexnet", str(weights)), cache))
        prepare = AlexNet_Weights.DEFAULT.transforms()
        with torch.no_grad():
            inputs = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
            pooled = net.avgpool(net.features(inputs)).flatten(1)
            expected = net.classifier[:-1](pooled)
            answers = net(inputs)
            last = net.classifier[-1](torch.from_numpy(features))
    difference = float(np.abs(features - expected.numpy()).max())
    end = float((last - answers).abs().max())
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
    print(f"{len(paths)} pictures, {features.shape[1]} features each, the largest {features.max():.4g}")
    print(f"largest difference to AlexNet without its last layer: {difference:.3g}")
    print(f"largest difference of the last layer's answers from them: {end:.3g}")
    print(
        f"computed in {first:.2f} s, read from the cache in {second:.2f} s, equal: {np.array_equal(features, again)}"
    )
    if difference > 1e-5 or end > 1e-5 or not np.array_equal(features, again) or not features.any():
        raise SystemExit("the features are not what they should be")


def write_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """Write pictures of smooth noise of several sizes as PNG files, and return their paths."""
    random, paths = np.random.default_rng(seed), list[Path]()
    for number in range(count):
        width, height = random.integers(150, 400, size=2).tolist()
        coarse = Image.fromarray(random.integers(0, 256, size=(9, 9, 3), dtype=np.uint8))
        path = folder / f"{number:02}.png"
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def timed(call):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    return call(), time.perf_counter() - started


if __name__ == "__main__":
    main()
