"""A standing Ray cluster that others started."""

from __future__ import annotations

import logging
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
    prepare_environment()
    import ray

    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"no Ray cluster answers at {address!r} ({(str(error) or type(error).__name__).splitlines()[0]}); "
            "start one with `ray start --head`, or leave --address out to use this machine alone"
        ) from None
    try:
        check_versions()
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at ``host:port``: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
