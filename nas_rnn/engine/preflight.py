"""What must be so before runs are sent to a cluster: enough of everything, and the same versions everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.training.storage import Probe

MOST_RUNS_PER_CORE = 8
PACKAGES = ("nas_rnn", "torch", "ray", "numpy")
_ANSWER_SECONDS = 120.0

Resources = Mapping[str, float]


def check_local(workers: int | None, threads: int, cores: int) -> None:
    """Raise UserError for more than this machine of so many ``cores`` can hold.

    Some more runs than cores may be meant, as on a machine with few cores and a GPU; Ray starts a process for each.
    """
    if threads > cores:
        raise UserError(
            f"a run asks for {threads} CPU cores, and this machine has {cores}; give fewer --threads"
        )
    most = MOST_RUNS_PER_CORE * cores
    if workers is not None and workers * threads > most:
        raise UserError(
            f"{workers} runs side by side with --threads {threads} are too many for this machine of {cores} CPU "
            f"cores; give at most --workers {most // threads}, or leave it out"
        )


def check_request(gpus_per_run: float) -> None:
    """Raise UserError for a share of GPUs that cannot be given: Ray gives parts of one, or whole ones."""
    if not (0 <= gpus_per_run <= 1 or (gpus_per_run > 1 and float(gpus_per_run).is_integer())):
        raise UserError(
            f"--gpus-per-trial is a part of one GPU (0.25), or a whole number of them; got {gpus_per_run:g}"
        )


def nodes_alive() -> list[dict[str, Any]]:
    """Return what Ray knows of the nodes that are there."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def node_name(node: Mapping[str, Any]) -> str:
    """Return a node's address with the beginning of its id: several may share one address."""
    return f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def check_resources(nodes: Sequence[Resources], threads: int, gpus_per_run: float) -> None:
    """Raise UserError where not even one run has a place; a run's resources must be on one node."""
    if places(nodes, threads, gpus_per_run):
        return
    cpus, gpus = _most(nodes, "CPU"), _most(nodes, "GPU")
    has = "Ray has" if len(nodes) == 1 else f"none of the {len(nodes)} nodes has more than"
    if gpus_per_run > gpus:
        there = "there is no GPU where Ray looked" if gpus == 0 else f"{has} {gpus:g}"
        fit = (
            f"give --gpus-per-trial {gpus:g} or less, or leave it out"
            if gpus
            else "leave --gpus-per-trial out"
        )
        raise UserError(f"a run asks for {gpus_per_run:g} GPU, and {there}; {fit} to train on CPU cores")
    if threads > cpus:
        fit = f"give --threads {cpus:g} or fewer" if cpus >= 1 else "start nodes with --num-cpus"
        raise UserError(f"a run asks for {threads} CPU cores, and {has} {cpus:g}; {fit}")
    raise UserError(
        f"a run asks for {threads} CPU cores and {gpus_per_run:g} GPU, and no node has both; give fewer --threads"
    )


def places(nodes: Sequence[Resources], threads: int, gpus_per_run: float) -> int:
    """Return how many runs have a place at once."""
    return sum(_places(node, threads, gpus_per_run) for node in nodes)


def _places(node: Resources, threads: int, gpus_per_run: float) -> int:
    count = int(node.get("CPU", 0.0) // threads)
    if not gpus_per_run:
        return count
    gpus = int(node.get("GPU", 0.0))
    # Parts of one run's GPU are never taken from two GPUs.
    by_gpu = gpus * int(1 / gpus_per_run + 1e-9) if gpus_per_run <= 1 else gpus // int(gpus_per_run)
    return min(count, by_gpu)


def _most(nodes: Sequence[Resources], kind: str) -> float:
    return max((node.get(kind, 0.0) for node in nodes), default=0.0)


def check_versions() -> None:
    """Raise UserError naming every node of the connected cluster whose packages differ from the driver's."""

    def look() -> dict[str, str]:  # pickled by value: the node may lack this package
        import hashlib
        import platform
        from importlib.metadata import PackageNotFoundError, version
        from importlib.util import find_spec
        from pathlib import Path

        found = {"python": ".".join(platform.python_version_tuple()[:2])}
        for name in PACKAGES_TO_LOOK_AT:
            try:
                found[name] = version(name).partition("+")[0]
            except PackageNotFoundError:
                found[name] = "missing"
        spec = find_spec("nas_rnn")
        if spec is not None and spec.origin is not None:
            folder, total = Path(spec.origin).parent, hashlib.sha256()
            for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.cpp")]):
                name = path.relative_to(folder).as_posix()
                if not name.startswith("search_spaces/"):  # these travel as text
                    total.update(f"{name}\n".encode() + path.read_bytes())
            found["nas_rnn"] += f" (files {total.hexdigest()[:8]})"
        return found

    PACKAGES_TO_LOOK_AT = PACKAGES
    mine = look()
    problems = []
    for name, answer in _ask_every_node(look).items():
        if isinstance(answer, str):
            problems.append(f"node {name} {answer}")
            continue
        problems += [
            f"node {name} has {package} {found}, the driver has {mine[package]}"
            for package, found in answer.items()
            if found != mine[package]
        ]
    if problems:
        raise UserError(
            "the cluster's nodes must have the driver's versions (install the same wheel and packages there, and "
            "start the node again):\n  " + "\n  ".join(sorted(problems))
        )


def check_storage(uri: str) -> None:
    """Raise UserError where checkpoints at ``uri`` would not be seen by the driver and by every node."""
    probe = Probe(uri, f"probe-{uuid.uuid4().hex}")

    def look() -> str:
        try:
            return "" if probe.exists() else "does not see what the driver writes there"
        except NasRnnError as error:
            return str(error)

    probe.write()
    try:
        answers = _ask_every_node(look)
    finally:
        probe.remove()
    problems = [f"node {name} {answer}" for name, answer in answers.items() if answer]
    if problems:
        raise UserError(
            f"--storage is a place that every node reaches, such as s3://bucket/folder or a folder that all mount "
            f"(file:///shared/folder); {uri!r} is not:\n  " + "\n  ".join(sorted(problems)) + "\n"
            "without --storage, checkpoints go through Ray to the folder of runs"
        )


def _ask_every_node(look: Callable[[], Any]) -> dict[str, Any]:
    """Return what ``look`` finds on each node, by the node's name; a text that says so where it does not answer."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked: dict[Any, str] = {}
    for node in nodes_alive():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=0)(look).options(scheduling_strategy=there)
        asked[task.remote()] = node_name(node)
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_SECONDS)
    answers: dict[str, Any] = {asked[ref]: "does not answer" for ref in late}
    for ref in ready:
        try:
            answers[asked[ref]] = ray.get(ref)
        except ray.exceptions.RayError as error:
            answers[asked[ref]] = f"does not answer: {str(error).splitlines()[0]}"
    return answers
