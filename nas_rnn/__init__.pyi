# ruff: noqa: I001  # one import a home, as in `__init__.py`
"""The public names, for editors and type checkers; `__init__.py` imports each on first use."""

from nas_rnn.cells import (
    Cell as Cell,
    CellError as CellError,
    antisymmetric as antisymmetric,
    cell as cell,
    diagonal as diagonal,
    layer_norm as layer_norm,
    linear as linear,
    parse_cell as parse_cell,
    project as project,
    scalar as scalar,
    state as state,
    vector as vector,
)
from nas_rnn.cells.graph.operations import (
    Operation as Operation,
    blend as blend,
    exp as exp,
    identity as identity,
    leaky_relu as leaky_relu,
    log_sigmoid as log_sigmoid,
    maximum as maximum,
    minimum as minimum,
    operation as operation,
    relu as relu,
    sigmoid as sigmoid,
    softplus as softplus,
    sqrt as sqrt,
    tanh as tanh,
)
from nas_rnn.errors import (
    NasRnnError as NasRnnError,
    UserError as UserError,
)
from nas_rnn.spaces import (
    Candidate as Candidate,
    search_space as search_space,
)
from nas_rnn.plugins import (
    load_cell as load_cell,
    load_space as load_space,
)
from nas_rnn.execution import RNN as RNN
from nas_rnn.tasks import (
    Batch as Batch,
    Batching as Batching,
    Loss as Loss,
    Mean as Mean,
    Metric as Metric,
    Preview as Preview,
    Probe as Probe,
    Task as Task,
    TaskData as TaskData,
    TaskModel as TaskModel,
    option as option,
)
from nas_rnn.export import load_model as load_model
from nas_rnn.experiment.ablate import ablate as ablate
from nas_rnn.experiment.compare import compare as compare
from nas_rnn.experiment.evaluate import OutsideStudy as OutsideStudy
from nas_rnn.experiment.search import search as search
from nas_rnn.experiment.suite import compare_suite as compare_suite

__all__: list[str]
__version__: str
