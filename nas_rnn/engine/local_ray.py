"""A Ray of this machine alone: quiet, on the loopback interface, gone when the search is."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nas_rnn.errors import NasRnnError

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "auto",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_OBJECT_STORE_BYTES = 150 * 2**20


def prepare_environment() -> None:
    """Set what Ray reads from the environment, leaving what the user has set."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def local_ray(cpus: int, gpus: int | None, data_bytes: int) -> Iterator[None]:
    """Run a local Ray with so many CPUs (and GPUs; None: those that are there) for the time of the block.

    Raises NasRnnError where it does not start.
    """
    prepare_environment()
    import ray
    import ray.util
    from ray._private import services

    # Ray binds its ports to every interface unless the node's address is 127.0.0.1, and rewrites that address when it
    # is asked for by option; so what it finds out itself is replaced, under both names that it is called by.
    own = services.get_node_ip_address  # back afterwards: a cluster may be next
    services.get_node_ip_address = ray.util.get_node_ip_address = _loopback
    try:
        _init(cpus, gpus, data_bytes)
        yield
    finally:
        ray.shutdown()
        services.get_node_ip_address = ray.util.get_node_ip_address = own


def _init(cpus: int, gpus: int | None, data_bytes: int) -> None:
    import ray

    try:
        ray.init(
            address="local",  # also where RAY_ADDRESS names a cluster, or another Ray runs here
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
            object_store_memory=_OBJECT_STORE_BYTES + 2 * data_bytes,
        )
    except Exception as error:  # plain ones, where a process of Ray's is too slow, or dies
        raise NasRnnError(
            f"Ray, which trains the runs side by side, did not start ({' '.join(str(error).split()).rstrip('.')}); "
            "wait until the machine is less busy, or free memory and disk"
        ) from error


def _loopback(address: str | None = None) -> str:
    """Stand in for Ray's search for the node's own address."""
    return "127.0.0.1"
