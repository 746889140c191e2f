"""Ray nodes as processes of this machine that cannot see each other's disks: what a cluster of several machines is."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]

# Ray listens on every interface unless it takes 127.0.0.1 for the machine's address; no option says so.
_RAY_ON_LOOPBACK = """
import ray.util
from ray._private import services
services.get_node_ip_address = ray.util.get_node_ip_address = lambda address=None: "127.0.0.1"
from ray.scripts.scripts import main
main()
"""

# A node that is killed refuses the next connection; the default of 5 checks every 3 s is for real networks.
_HEALTH = (
    '{"health_check_period_ms": 500, "health_check_failure_threshold": 4, "health_check_timeout_ms": 10000}'
)

# $1: the driver's packages, $2: where they are found in the node; then, up to --, what is hidden.
_IN_ANOTHER_WORLD = """
cd /
mount --bind "$1" "$2"; shift 2
while [ "$1" != -- ]; do
    mount -t tmpfs tmpfs "$1"
    [ -z "$(ls -A "$1")" ] || exit 3
    shift
done
shift
exec "$@"
"""


def unshare() -> list[str] | None:
    """Return the command that runs another in a mount namespace of its own; None where that is not permitted."""
    for command in (["unshare", "-m"], ["unshare", "--map-root-user", "-m"]):
        try:
            tried = subprocess.run(
                [*command, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()], capture_output=True
            )
        except FileNotFoundError:
            return None
        if tried.returncode == 0:
            return command
    return None


class Nodes:
    """A head on this machine's disk and workers that see neither the checkout nor `driver`, the driver's folder.

    A worker has the package as a wheel in an environment of its own; what the package needs is mounted into it.
    """

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="nrn"))  # short: the paths of Ray's sockets lie below it
        self.driver = self.base / "driver"
        (self.driver / "tmp").mkdir(parents=True)
        self._token = secrets.token_hex(16)
        self._head: subprocess.Popen[bytes] | None = None
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process that is at home in ``home`` and knows the cluster's token."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
        return {
            **kept,
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "CXX": "none",  # every node would compile every cell: minutes
        }

    def start_head(self, cpus: int, *options: str) -> None:
        port = self.address.rpartition(":")[2]
        command = ["--head", "--port", port, "--include-dashboard", "false", "--system-config", _HEALTH]
        self._head = self._start(self.driver, [], sys.executable, cpus, [*command, *options])

    def start_worker(self, name: str, cpus: int) -> None:
        """Start a worker node whose Python is that of `install`."""
        namespace = unshare()
        assert namespace is not None
        home = self.base / name
        (home / "tmp").mkdir(parents=True)
        hidden = [str(ROOT), str(self.driver)]
        packages = [sysconfig.get_path("purelib"), str(self.base / "packages")]
        world = [*namespace, "sh", "-ec", _IN_ANOTHER_WORLD, "sh", *packages, *hidden, "--"]
        python = str(self.base / "venv" / "bin" / "python")
        self._workers[name] = self._start(home, world, python, cpus, ["--address", self.address])

    def _start(
        self, home: Path, world: list[str], python: str, cpus: int, options: list[str]
    ) -> subprocess.Popen[bytes]:
        ports = ["--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0"]
        small = ["--num-cpus", str(cpus), "--object-store-memory", str(100 * 2**20)]
        ray = [python, "-c", _RAY_ON_LOOPBACK, "start", *options, *small, *ports, "--temp-dir", f"{home}/r"]
        with (home / "ray.log").open("wb") as log:
            return subprocess.Popen(
                [*world, *ray, "--disable-usage-stats", "--include-log-monitor", "false", "--block"],
                cwd=home,
                env=self.environment(home),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def install(self) -> None:
        """Make the environment of the workers: the package as it is built for users, and nothing of the checkout."""
        (self.base / "packages").mkdir()
        venv = self.base / "venv"
        _run(sys.executable, "-m", "venv", "--without-pip", str(venv))
        pip = [sys.executable, "-m", "pip"]
        quiet = ["-q", "--no-deps", "--no-index"]
        _run(*pip, "wheel", *quiet, "--no-build-isolation", "-w", str(self.base), str(ROOT))
        (wheel,) = self.base.glob("*.whl")
        _run(*pip, "--python", str(venv / "bin" / "python"), "install", *quiet, str(wheel))
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "packages.pth").write_text(f"{self.base / 'packages'}\n")

    def wait(self, count: int, seconds: float = 240.0) -> None:
        """Return once ``count`` nodes have said that they run."""
        logs = [self.driver / "ray.log", *(self.base / name / "ray.log" for name in self._workers)]
        end = time.monotonic() + seconds
        while sum("Ray runtime started" in log.read_text() for log in logs if log.exists()) < count:
            assert time.monotonic() < end, "\n".join(log.read_text() for log in logs if log.exists())
            time.sleep(0.1)

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the processes of a worker node: those of its mount namespace."""
        world = _world(self._workers[name].pid)
        return [process for process in psutil.process_iter() if world and _world(process.pid) == world]

    def kill(self, name: str) -> None:
        """``kill -9`` all of a worker node at once."""
        for process in self.processes(name):
            process.send_signal(signal.SIGKILL)
        self._workers.pop(name).wait()

    def listening(self) -> set[str]:
        """Return the addresses that the nodes listen at."""
        pids = {process.pid for name in self._workers for process in self.processes(name)}
        pids |= {process.pid for process in self._head_processes()}
        found = psutil.net_connections("inet")
        return {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN and c.pid in pids}

    def _head_processes(self) -> list[psutil.Process]:
        if self._head is None or self._head.poll() is not None:
            return []
        head = psutil.Process(self._head.pid)
        return [head, *head.children(recursive=True)]

    def close(self) -> None:
        for name in list(self._workers):
            self.kill(name)
        processes = self._head_processes()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)
        shutil.rmtree(self.base, ignore_errors=True)


def _world(pid: int) -> str | None:
    """Return the mount namespace of a process; None where it is gone."""
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return None


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
