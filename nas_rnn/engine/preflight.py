"""What must be so before runs are sent to a cluster: enough of everything, and the same versions everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas_rnn.errors import UserError

MOST_RUNS_PER_CORE = 8
PACKAGES = ("nas_rnn", "torch", "ray", "numpy")
_ANSWER_SECONDS = 120.0


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


def check_resources(available: Mapping[str, float], threads: int, gpus_per_run: float) -> None:
    """Raise UserError where not even one run has a place."""
    cpus, gpus = available.get("CPU", 0.0), available.get("GPU", 0.0)
    if gpus_per_run > gpus:
        there = "there is no GPU" if gpus == 0 else f"there are {gpus:g}"
        raise UserError(
            f"a run asks for {gpus_per_run:g} GPU, and {there} where Ray looked; leave --gpus-per-trial out to "
            "train on CPU cores"
        )
    if threads > cpus:
        raise UserError(f"a run asks for {threads} CPU cores, and Ray has {cpus:g}; give fewer --threads")


def places(available: Mapping[str, float], threads: int, gpus_per_run: float) -> int:
    """Return how many runs have a place at once."""
    count = int(available.get("CPU", 0.0) // threads)
    if gpus_per_run:
        count = min(count, int(available.get("GPU", 0.0) / gpus_per_run + 1e-9))
    return max(1, count)


def check_versions() -> None:
    """Raise UserError naming every node of the connected cluster whose packages differ from the driver's."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def look() -> dict[str, str]:  # pickled by value: the node may lack this package
        import platform
        from importlib.metadata import PackageNotFoundError, version

        found = {"python": ".".join(platform.python_version_tuple()[:2])}
        for name in PACKAGES_TO_LOOK_AT:
            try:
                found[name] = version(name).partition("+")[0]
            except PackageNotFoundError:
                found[name] = "missing"
        return found

    PACKAGES_TO_LOOK_AT = PACKAGES
    mine = look()
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    asked: dict[Any, str] = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=0)(look).options(scheduling_strategy=there)
        asked[task.remote()] = node["NodeManagerAddress"]
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_SECONDS)
    problems = [f"node {asked[ref]} does not answer" for ref in late]
    for ref in ready:
        for name, found in ray.get(ref).items():
            if found != mine[name]:
                problems.append(f"node {asked[ref]} has {name} {found}, the driver has {mine[name]}")
    if problems:
        raise UserError(
            "the cluster's nodes must have the driver's versions:\n  " + "\n  ".join(sorted(problems))
        )
