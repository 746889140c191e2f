"""What a network that was trained on other pictures makes of a picture: its output without its very last layer.

Any network will do that ends in a layer of classes; `published` gives those of torchvision. Features are computed once
and kept, by the digests of the picture's bytes and of the weights.
"""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor, nn

from nas_rnn.errors import UserError, unknown
from nas_rnn.outside import is_file
from nas_rnn.tasks.caption.items import digest_of
from nas_rnn.tasks.pictures import read_picture

INSTALL = "pip install 'nas_rnn[vision]'"
AT_ONCE = 32
"""Pictures that go through the network side by side."""


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network without its last layer, and what makes its input (C, H, W) of a picture in colours."""

    net: nn.Module
    prepare: Callable[[Any], Tensor]
    name: str

    @property
    def digest(self) -> str:
        """The SHA-256 of all weights, of what the layers are, and of how pictures are prepared."""
        found = hashlib.sha256(f"{self.net}\n{self.prepare}\n".encode())
        for name, tensor in self.net.state_dict().items():
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()


def without_last_layer(net: nn.Module) -> nn.Module:
    """Return a copy of a network without the last of its layers that have weights; what follows that one stays.

    The last is by the order in which the network declares them, as all of torchvision's classifiers do. It must be
    linear, or a convolution as in SqueezeNet.

    Raises:
        UserError: where the last layer is of another kind.
    """
    layers = [
        (name, layer)
        for name, layer in net.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    ]
    name, last = layers[-1] if layers else ("", None)
    if not name or not isinstance(last, nn.Linear | nn.Conv2d):
        kind = type(last).__name__ if last is not None else "nothing with weights"
        raise UserError(
            f"the last layer of {type(net).__name__} is {kind}, not a linear layer or a convolution that names "
            "classes; use a classifier such as alexnet"
        )
    shorter = copy.deepcopy(net).eval().requires_grad_(False)
    parent, _, own = name.rpartition(".")
    setattr(shorter.get_submodule(parent), own, nn.Identity())
    return shorter


def published(name: str, weights: str) -> Extractor:
    """Return one of torchvision's classifiers with its published weights, or with those of a file ``weights``.

    Raises:
        UserError: where torchvision is missing or cannot be imported, knows no such classifier, or the weights cannot
            be had.
    """
    try:
        import torchvision.models as models
        from torchvision.models import get_model, get_model_weights, list_models
    except ImportError:
        raise UserError(f"extractor={name} needs torchvision; install it with: {INSTALL}") from None
    except RuntimeError as error:  # a torchvision that was made for another torch
        raise UserError(
            f"torchvision does not go with this torch ({error}); install both anew: {INSTALL}"
        ) from error
    known = list_models(module=models)
    if name not in known:
        raise unknown("extractor", name, ["conv", *known])
    chosen = get_model_weights(name).DEFAULT
    if weights:
        net = get_model(name, weights=None)
        load_weights(net, Path(weights))
    else:
        try:
            net = get_model(name, weights=chosen)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"the weights of {name} cannot be fetched: {error}; fetch {chosen.url} yourself, and give the file "
                "with --task-option weights=FILE"
            ) from error
    return Extractor(without_last_layer(net), chosen.transforms(), name)


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a network's weights from a file of safetensors, or one that torch saved; no code in it is run.

    Raises:
        UserError: for a file that is missing, damaged, holds more than tensors, or is of another network.
    """
    if not is_file(path):
        raise UserError(f"there is no file of weights {path}; give a .pth or .safetensors file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(found)
    except Exception as error:  # of damaged files torch raises whatever its reader stumbled over
        raise UserError(
            f"cannot take the weights of {path}: {str(error).splitlines()[0]:.200}; give a state dict of this network"
        ) from error


def features_of(
    paths: Sequence[Path], extractor: Extractor, cache: Path | None = None
) -> NDArray[np.float32]:
    """Return what the network makes of each picture, (N, F); what was computed before is read from ``cache``.

    Raises:
        UserError: for a picture that cannot be read, or a network whose output is no row of finite numbers.
    """
    digests = [digest_of(path) for path in paths]
    file = (cache or cache_folder()) / f"{extractor.digest}.safetensors"
    known = _kept(file)
    missing = {digest: path for digest, path in zip(digests, paths, strict=True) if digest not in known}
    pending = list(missing.items())
    for first in range(0, len(pending), AT_ONCE):
        some = pending[first : first + AT_ONCE]
        known.update(
            zip((digest for digest, _ in some), _computed([p for _, p in some], extractor), strict=True)
        )
    if missing:
        _keep(file, known)
    return np.stack([known[digest] for digest in digests])


@torch.no_grad()
def _computed(paths: Sequence[Path], extractor: Extractor) -> NDArray[np.float32]:
    inputs = torch.stack([extractor.prepare(read_picture(path, "RGB")) for path in paths])
    outputs = extractor.net.eval()(inputs)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2 or not bool(outputs.isfinite().all()):
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UserError(
            f"{extractor.name} without its last layer gives no row of finite numbers for a picture, but {shape}; use a "
            "classifier such as alexnet"
        )
    return outputs.float().cpu().numpy()


def cache_folder() -> Path:
    """Return where features are kept: ``XDG_CACHE_HOME/nas_rnn/features``, by default in the user's .cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "nas_rnn" / "features"


def _kept(file: Path) -> dict[bytes, NDArray[np.float32]]:
    """Return the features of a file by their pictures' digests; of a damaged file none, so that it is made anew."""
    try:
        found = load(file.read_bytes())
        digests, features = found["digests"], found["features"]
    except (OSError, SafetensorError, KeyError):
        return {}
    sound = digests.dtype == np.uint8 and digests.ndim == 2 and digests.shape[1:] == (32,)
    if not (sound and features.ndim == 2 and features.dtype == np.float32 and len(features) == len(digests)):
        return {}
    if not np.isfinite(features).all():
        return {}
    return {digest.tobytes(): row for digest, row in zip(digests, features, strict=True)}


def _keep(file: Path, known: dict[bytes, NDArray[np.float32]]) -> None:
    """Write the file whole beside its place, then put it there; where nothing can be written, nothing is kept."""
    digests = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, 32)
    content = save({"digests": digests, "features": np.stack(list(known.values()))})
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as written:
                written.write(content)
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)
