"""What MLflow runs to serve a registered winner: kept as this text beside the model's files, so without pickle.

It is read by MLflow, not imported: in an environment with nas_rnn it loads the folder and turns arrays, the batch
first, into the model's inputs, time first, and its outputs into arrays again.
"""

from typing import Any

import mlflow
import numpy as np
import torch
from numpy.typing import NDArray

import nas_rnn


class Champion(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    """A trained model: ``predict(inputs (B, T, ...)) -> outputs (B, ...)``, every sequence from its start.

    Several inputs are a dict of arrays by name, each with the batch first where it has one.
    """

    def load_context(self, context: Any) -> None:
        self.model = nas_rnn.load_model(context.artifacts["model"], plugins=context.model_config["plugins"])
        self.batch_axis = int(context.model_config["batch_axis"])
        self.batch_axes = context.model_config["batch_axes"]

    @torch.inference_mode()
    def predict(
        self,
        context: Any,
        model_input: np.ndarray,  # or a dict of them; MLflow warns of any other hint, and of none
        params: dict[str, Any] | None = None,
    ) -> NDArray[Any]:
        inputs: torch.Tensor | dict[str, torch.Tensor]
        if isinstance(self.batch_axes, int):
            inputs = _tensor(model_input, self.batch_axes)
        else:
            inputs = {name: _tensor(model_input[name], axis) for name, axis in self.batch_axes.items()}
        outputs, _ = self.model(inputs, None)
        return np.ascontiguousarray(outputs.movedim(self.batch_axis, 0).numpy())


def _tensor(array: Any, batch_axis: int) -> torch.Tensor:
    return torch.from_numpy(np.array(array)).movedim(0, batch_axis)


mlflow.models.set_model(Champion())
