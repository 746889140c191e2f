"""Collects the parts of an ONNX graph: nodes with fresh names, and the numbers that they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor

OPSET, IR_VERSION = 20, 10


class Numbers:
    """The initializers of a model, shared by its graph and the bodies of its loops; all of one floating type."""

    def __init__(self, dtype: type[np.floating[Any]], prefix: str) -> None:
        self.dtype = np.dtype(dtype)
        self.prefix = prefix
        self.protos: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._names = 0

    @property
    def element(self) -> int:
        """The type of all values, as ONNX numbers them."""
        return int(onnx.helper.np_dtype_to_tensor_dtype(self.dtype))

    def fresh(self) -> str:
        """Return a name that nothing else has."""
        self._names += 1
        return f"{self.prefix}{self._names}"

    def put(self, value: Tensor | float) -> str:
        """Return the name of an initializer of the floating type."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        return self._put(np.array(array, dtype=self.dtype, order="C"))

    def whole(self, *values: int) -> str:
        """Return the name of a list of whole numbers."""
        return self._put(np.array(values, dtype=np.int64))

    def index(self, value: int) -> str:
        """Return the name of one whole number."""
        return self._put(np.array(value, dtype=np.int64))

    def truth(self) -> str:
        """Return the name of what is true."""
        return self._put(np.array(True))

    def _put(self, array: NDArray[Any]) -> str:
        key = str(array.dtype), array.tobytes(), array.shape
        if key not in self._known:
            self._known[key] = self.fresh()
            self.protos.append(onnx.numpy_helper.from_array(array, self._known[key]))
        return self._known[key]


class Nodes:
    """The nodes of one graph, in the order in which they are computed."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.protos: list[onnx.NodeProto] = []

    def add(self, operator: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node and return the name of its (first) output."""
        names = list(outputs) or [self.numbers.fresh()]
        self.protos.append(onnx.helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]
