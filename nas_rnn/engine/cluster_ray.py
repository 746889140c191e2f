"""A standing Ray cluster that others started."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from nas_rnn.engine.local_ray import prepare_environment
from nas_rnn.engine.preflight import check_versions
from nas_rnn.errors import UserError

_KNOCK_SECONDS = 10.0


@contextmanager
def cluster_ray(address: str) -> Iterator[None]:
    """Connect to the cluster at ``address`` (``auto``: the one of this machine) for the time of the block.

    Raises UserError where none answers, or where its nodes have other versions than the driver.
    """
    host, port = _host_and_port(address)
    prepare_environment()
    import ray

    try:
        if host:
            # Ray itself would try for minutes.
            socket.create_connection((host, port), timeout=_KNOCK_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at {address!r} ({error.strerror or error}); start one with `ray start --head`, "
            "or use this machine alone: --address local"
        ) from None
    try:
        with _muted():
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True
            )
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise UserError(_refused(address, error)) from None
    try:
        check_versions()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _muted() -> Iterator[None]:
    """Drop what Ray's own code writes to standard error: a line for each of some twenty attempts to connect."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _host_and_port(address: str) -> tuple[str, int]:
    """Return the parts of ``host:port``, or no host for ``auto``; UserError for anything else."""
    if address == "auto":
        return "", 0
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(
            f"--address (or RAY_ADDRESS) is HOST:PORT of the cluster's head, as `ray start --head` prints it; or auto; "
            f"or local, for this machine alone; got {address!r}"
        )
    return host.strip("[]"), int(port)


def _refused(address: str, error: Exception) -> str:
    """Return why the cluster at ``address`` did not take us in, and what is needed for that."""
    reason = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0]
    return (
        f"cannot join the Ray cluster at {address!r}: {reason}\n"
        "The driver must run on one of its nodes (`ray start --address=...` makes this machine one; with "
        "--num-cpus=0 it trains nothing), with the same versions of Ray and Python and the same token "
        "(RAY_AUTH_MODE=token and RAY_AUTH_TOKEN) as every node"
    )
