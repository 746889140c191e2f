"""Compiles C++ with the system's compiler and keeps the results, in a folder that is the user's alone.

A library's name holds a hash of its whole source, of the flags, and of what the compiler says of itself and
of this machine's processor; so it is found again only where it would come out the same. It is written under
another name and renamed when it is whole: several processes may compile the same one, and be killed. Its last
bytes are a hash of all before, since to load a file that a full disk or a power cut damaged kills the process.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)

HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fopenmp-simd",
         "-shared", "-fPIC")  # fmt: skip
NATIVE = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ("-mcpu=native",), ())
"""What asks for this machine's own instructions; the first that the compiler takes is used."""
SECONDS = 120
"""How long a compilation may take."""
DIGEST = hashlib.sha256().digest_size
KEPT = 4000
"""How many libraries (and modules of Triton's kernels) stay in the folder; those not used for longest go."""


class CompileError(Exception):
    """There is no compiler, or it failed; the message says what was tried."""


@cache
def compiler() -> tuple[str, tuple[str, ...], str]:
    """Return the compiler's path, its flags, and what it says of itself and the processor.

    It is ``CXX`` where that is set, else the first of c++, g++ and clang++ on the path. Raises
    `CompileError` where none runs.
    """
    chosen = os.environ.get("CXX")
    names = [chosen] if chosen else ["c++", "g++", "clang++"]
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        raise CompileError(
            f"no C++ compiler was found (looked for {', '.join(names)}); install g++ or clang++"
        )
    for native in NATIVE:
        asked = [path, *FLAGS, *native, "-dM", "-E", "-x", "c++", os.devnull]
        try:
            answer = subprocess.run(
                asked, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CompileError(f"the C++ compiler {path} does not run: {error}") from None
        if answer.returncode == 0:
            return path, (*FLAGS, *native), answer.stdout
    raise CompileError(f"the C++ compiler {path} does not work: {answer.stderr.strip()[-300:]}")


@cache
def compiler_problem() -> str | None:
    """Return why nothing can be compiled here, and say it once; None where it can."""
    try:
        compiler()
    except CompileError as error:
        _log.warning("cells run on the slower eager backend: %s", error)
        return str(error)
    return None


def compile_library(source: str, single: bool) -> ctypes.CDLL:
    """Return the library that ``source`` compiles to, for float (``single``) or double.

    Raises `CompileError`.
    """
    path, flags, about = compiler()
    flags = (*flags, "-DSINGLE") if single else flags
    key = hashlib.sha256("\0".join([source, path, *flags, about]).encode()).hexdigest()[:32]
    library = cache_folder() / f"{key}.so"
    try:
        if _is_whole(library.read_bytes()):
            loaded = ctypes.CDLL(str(library))
            os.utime(library)
            return loaded
    except OSError:  # not there, or made elsewhere
        pass
    _compile(path, flags, source, library)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise CompileError(f"the compiled library cannot be loaded: {error}") from None


def _compile(path: str, flags: Sequence[str], source: str, library: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="building-") as folder:
            made, text = Path(folder, "made.so"), Path(folder, "source.cpp")
            text.write_text(source)
            asked = [path, *flags, str(text), "-o", str(made)]
            answer = subprocess.run(
                asked, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
            )
            if answer.returncode != 0:
                raise CompileError(f"{path} failed: {answer.stderr.strip()[-1000:]}")
            with made.open("ab") as file:
                file.write(hashlib.sha256(made.read_bytes()).digest())
            made.replace(library)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(
            f"the C++ compiler {path} could not do its work in {library.parent}: {error}"
        ) from None
    prune(library.parent, "*.so")


def _is_whole(library: bytes) -> bool:
    """Whether the bytes of a library are those that were written."""
    return hashlib.sha256(library[:-DIGEST]).digest() == library[-DIGEST:]


def prune(folder: Path, pattern: str) -> None:
    """Remove, of the files that fit ``pattern``, those not used for longest, and what killed compilations left."""
    libraries = list(folder.glob(pattern))
    if len(libraries) <= KEPT:
        return
    ages: list[tuple[float, Path]] = []
    for library in libraries:
        try:
            ages.append((library.stat().st_mtime, library))
        except OSError:  # another process removed it
            continue
    for _, library in sorted(ages)[: len(ages) - KEPT * 3 // 4]:
        library.unlink(missing_ok=True)
    for left in folder.glob("building-*"):
        try:
            killed = left.stat().st_mtime < time.time() - 2 * SECONDS
        except OSError:
            continue
        if killed:  # else another process is at work there
            shutil.rmtree(left, ignore_errors=True)


def cache_folder() -> Path:
    """Return the folder of compiled libraries, ``XDG_CACHE_HOME/nas_rnn/kernels`` by default.

    It is used only where it belongs to this user and nobody else may write to it, since what lies there is
    executed; else it is a folder of this process, removed when that ends.
    """
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        folder = (base if base.is_absolute() else Path.home() / ".cache") / "nas_rnn" / "kernels"
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        own = not hasattr(os, "getuid") or about.st_uid == os.getuid()
        private = stat.S_ISDIR(about.st_mode) and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if own and private and os.access(folder, os.W_OK | os.X_OK):
            return folder
    except (OSError, RuntimeError):  # a user may have no home
        pass
    return _temporary()


_making = threading.Lock()
_own: tempfile.TemporaryDirectory[str] | None = None


def _temporary() -> Path:
    """Return the folder of this process; made anew where somebody has tidied it away.

    Several threads compile at once: where each made a folder, those of all but the last would be removed while their
    compilers work in them.
    """
    global _own
    with _making:
        if _own is None or not Path(_own.name).is_dir():
            _own = tempfile.TemporaryDirectory(prefix="nas_rnn-kernels-")
        return Path(_own.name)


def text_of(name: str) -> str:
    """Return a C++ file that stands beside this module."""
    return (HERE / name).read_text()
