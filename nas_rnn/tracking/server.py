"""MLflow's server with its pages, in the foreground."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.tracking.quiet import is_http, prepare_environment, without_password
from nas_rnn.tracking.store import check_uri, create_database, sqlite_path

START_SECONDS = 90.0
STOP_SECONDS = 8.0
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    uri: str,
    *,
    artifact_root: Path,
    host: str = "127.0.0.1",
    port: int = 5000,
    allowed_hosts: str | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run MLflow's server on the database at ``uri`` until Ctrl-C (or SIGTERM, SIGHUP), then end it cleanly.

    ``on_ready`` is called with the address once pages can be opened. ``port`` 0 takes a free one. Names other
    than localhost, by which browsers elsewhere know this machine, must be in ``allowed_hosts`` (separated by
    commas). Whoever reaches the server may read and delete all: a ``host`` other than loopback is for trusted
    networks.

    Raises UserError for a port that is taken and for a ``uri`` that is a server already, NasRnnError when the
    server does not start or ends by itself.
    """
    check_uri(uri)
    if is_http(uri):
        raise UserError(f"MLflow runs at {without_password(uri)} already: open that address in a browser")
    port = _free_port(host, port)
    path = sqlite_path(uri)
    if path is not None:
        create_database(path, artifact_root)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += ["--artifacts-destination", artifact_root.absolute().as_uri()]
    if allowed_hosts:
        command += ["--allowed-hosts", allowed_hosts]
    address = _address(host, port)
    with tempfile.TemporaryFile("w+b") as log, _signals_as_interrupt():
        process = _start(command, uri, log.fileno())
        try:
            _wait_until_ready(process, address)
            if process.poll() is None and on_ready is not None:
                on_ready(address)
            process.wait()
        except KeyboardInterrupt:
            return
        finally:
            _stop(process)
        log.seek(0)
        raise NasRnnError(f"the MLflow server ended by itself{_last_lines(log.read())}")


def _free_port(host: str, port: int) -> int:
    """Return ``port``, or a free one for 0; UserError where it cannot be listened on."""
    if not host:  # to a socket that means every address
        raise UserError("--host takes the address to serve at, such as 127.0.0.1, not ''")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise UserError(
                    f"--host {host!r} is no address of this machine ({error.strerror}); leave it out to serve at "
                    "127.0.0.1"
                ) from error
            why = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"failed: {error.strerror}"
            )
            raise UserError(
                f"port {port} on {host} {why}; choose another with --port, or --port 0 for any free one"
            ) from error
        except (OverflowError, UnicodeError) as error:
            raise UserError(f"no server can listen on {host!r}, port {port}: {error}") from error
        return int(probe.getsockname()[1])


def _address(host: str, port: int) -> str:
    """Return where a browser on this machine finds the server."""
    seen = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{seen}:{port}"


def _start(command: list[str], uri: str, log: int) -> subprocess.Popen[bytes]:
    prepare_environment()
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    # The address may hold a password, which a command line would show to everybody on the machine.
    environment["MLFLOW_BACKEND_STORE_URI"] = uri
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    # A group of its own: Ctrl-C reaches the server through us alone, and its children end with it.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    """Return once the server answers, or has ended; NasRnnError where it does neither in time."""
    import urllib.request  # late, since it takes longer than all else that this package imports

    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None:
        try:
            with opener.open(f"{address}/health", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise NasRnnError(f"the MLflow server did not answer within {START_SECONDS:.0f} s") from None
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and every process it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Treat every wish to end as Ctrl-C: the server is in a group of its own and would live on.

    SIGINT too: a shell's script starts what is in the background with SIGINT ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _last_lines(log: bytes, count: int = 5) -> str:
    lines = [line for line in log.decode(errors="replace").splitlines() if line.strip()]
    return ":\n" + "\n".join(lines[-count:]) if lines else ""
