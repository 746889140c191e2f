"""Whether a network can tell photographs apart: does it learn the captions of 50 pictures by heart, and by looking?

    python benchmarks/caption_memorised.py FOLDER                      # COCO's or Flickr8k's captions with pictures
    python benchmarks/caption_memorised.py FOLDER --pictures 50 --epochs 400

One caption each of so many pictures is learned; evaluation is on the same pictures. Told is how many captions are
written word for word by greedy decoding, and how many when the pictures are shuffled among the captions: a network that
does not look at them would do as well then.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from nas_rnn.execution import RNN
from nas_rnn.tasks import Batching, Regularisation, TaskData
from nas_rnn.tasks.caption import Caption
from nas_rnn.tasks.caption.batching import seen
from nas_rnn.tasks.caption.floors import rows_of
from nas_rnn.tasks.caption.model import Captioner


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("source", type=Path)
    arguments.add_argument("--pictures", type=int, default=50)
    arguments.add_argument("--epochs", type=int, default=200)
    arguments.add_argument("--hidden", type=int, default=96)
    arguments.add_argument("--rate", type=float, default=0.003)
    arguments.add_argument("--size", type=int, default=48)
    arguments.add_argument("--cell", default="lstm")
    arguments.add_argument("--seed", type=int, default=0)
    own = arguments.parse_args()
    torch.manual_seed(own.seed)
    task = Caption(size=own.size, references=1, longest=30)
    data = only_training(task.load(own.source), own.pictures)
    model = task.build(data.meta, lambda size: RNN(own.cell, size, own.hidden), Regularisation())
    optimizer = torch.optim.Adam(model.parameters(), lr=own.rate)
    started = time.perf_counter()
    for epoch in range(own.epochs):
        model.train()
        for batch in task.batches(data, "train", Batching(batch=25, length=1, seed=own.seed, epoch=epoch)):
            loss, _ = model.loss(batch, None)
            optimizer.zero_grad()
            loss.total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        if (epoch + 1) % 20 == 0:
            print(
                f"epoch {epoch + 1}: loss {float(loss.total):.4f}, {exact(model, data)} written", flush=True
            )
    order = np.random.default_rng(own.seed).permutation(own.pictures)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{own.cell}, {parameters:,} parameters, {time.perf_counter() - started:.0f} s")
    print(f"{exact(model, data)} of {own.pictures} captions word for word")
    print(f"{exact(model, data, order)} of {own.pictures} with the pictures shuffled among them")


def only_training(data: TaskData, count: int) -> TaskData:
    """Return the data with the first ``count`` pictures, of whatever part, to train on."""
    meta = data.meta
    joined = {
        name: np.concatenate([data.part(part)[name] for part in ("train", "valid", "test")])  # type: ignore[arg-type]
        for name in ("pictures", "references")
    }
    known = 4 + meta["known"]
    whole = (joined["references"] < known).all(axis=(1, 2))  # captions of words that are known
    found = {name: array[whole][:count] for name, array in joined.items()}
    if len(found["pictures"]) < count:
        raise SystemExit(
            f"there are {len(found['pictures'])} pictures whose words are known; ask for no more"
        )
    return TaskData({"train": found}, meta)


def exact(model: Captioner, data: TaskData, order: np.ndarray | None = None) -> int:
    """Return how many captions are written word for word, of pictures in another ``order`` if there is one."""
    pictures = data.part("train")["pictures"]
    pictures = pictures if order is None else pictures[order]
    model.eval()
    written = model.write(seen(pictures, data.meta)).rows()
    wanted = [rows_of(own)[0] for own in data.part("train")["references"]]
    return sum(one == other for one, other in zip(written, wanted, strict=True))


if __name__ == "__main__":
    main()
