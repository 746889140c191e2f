"""Compiling: the cache, several processes at once, and machines on which it cannot be done."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import kernels, toolchain
from nas_rnn.execution.fused.toolchain import (
    CompileError,
    cache_folder,
    compile_library,
    compiler,
    compiler_problem,
)

SOURCE = 'extern "C" int answer() { return 42; }\n'
CELL = "@cell\ndef f(x, h):\n    return tanh(linear(x, h)) * 0.123\n"
FIRST_STEPS = f"""
import os, sys, torch
from nas_rnn.cells import parse_cell
from nas_rnn.execution import RNN
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        rnn = RNN(parse_cell({CELL!r}), 3, 4)
        with torch.no_grad():
            for parameter in rnn.parameters():
                parameter.fill_(0.25)
        output, _ = rnn(torch.ones(3, 2, 3, requires_grad=True))
        output.sum().backward()
        os.write(1, (repr((rnn.backend, rnn.fallback, float(output.sum()))) + chr(10)).encode())
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
"""Eight processes that take their first step at once."""


def forget() -> None:
    """Make the process know of no compiler and no compiled code, as at its start."""
    for remembered in (compiler, compiler_problem, kernels.products, kernels.make_kernels):
        remembered.cache_clear()
    kernels._loaded.clear()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the test's own; returns the folder in which libraries will lie."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache" / "nas_rnn" / "kernels"
    monkeypatch.undo()
    forget()


def answer() -> int:
    return int(compile_library(SOURCE, True).answer())


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def real_compiler() -> str:
    return compiler()[0]


def test_there_is_a_compiler() -> None:
    """Where this fails, install g++ or clang++: without it none of the fused backend is tested."""
    assert compiler_problem() is None


def test_what_is_compiled_is_kept_and_found_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer() == 42
    (library,) = cache.iterdir()
    assert library.suffix == ".so"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    os.utime(library, (1, 1))
    monkeypatch.setattr(toolchain, "_compile", None)
    assert answer() == 42
    assert library.stat().st_mtime > 1  # it counts as used, and so stays longest


@pytest.mark.parametrize("change", ["source", "dtype", "flags", "processor"])
def test_what_would_come_out_otherwise_has_another_name(
    change: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    path, flags, about = compiler()
    if change == "flags":
        monkeypatch.setattr(toolchain, "compiler", lambda: (path, (*flags, "-DMORE"), about))
    if change == "processor":
        monkeypatch.setattr(toolchain, "compiler", lambda: (path, flags, about + "#define __AVX1024__ 1\n"))
    compile_library(SOURCE + "//" * (change == "source"), change != "dtype")
    assert len(list(cache.glob("*.so"))) == 2


def test_the_processors_features_are_among_what_names_a_library() -> None:
    """-march=native is one word on every machine."""
    assert "#define __VERSION__" in compiler()[2]
    if os.uname().machine == "x86_64":
        assert "#define __SSE2__ 1" in compiler()[2]


ALONE = f"import runpy; compiles = runpy.run_path({toolchain.__file__!r})['compile_library']"
"""Start of a program that compiles without torch, which takes longer to import than most to compile."""


def test_damaged_libraries_are_made_anew(cache: Path) -> None:
    """By another process: this one has the whole ones loaded."""
    sources = {
        damage: f"{SOURCE}// {damage}" for damage in ("emptied", "garbage", "cut short", "zeros inside")
    }
    files: dict[str, Path] = {}
    damaged: dict[str, bytes] = {}
    for damage, source in sources.items():
        before = set(cache.glob("*.so"))
        compile_library(source, True)
        (files[damage],) = set(cache.glob("*.so")) - before
        whole = files[damage].read_bytes()
        half = len(whole) // 2
        damaged[damage] = {
            "emptied": b"",
            "garbage": b"no library",
            "cut short": whole[:half],
            "zeros inside": whole[:256] + bytes(half) + whole[256 + half :],
        }[damage]
        files[damage].unlink()  # another file, not this one changed in place
        files[damage].write_bytes(damaged[damage])
    run = f"{ALONE}; print([compiles(source, True).answer() for source in {list(sources.values())!r}])"
    again = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "[42, 42, 42, 42]\n"), again.stderr
    for damage, path in files.items():
        assert path.read_bytes() != damaged[damage]


def test_processes_that_compile_the_same_cell_at_once(cache: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FIRST_STEPS], capture_output=True, text=True, timeout=300, check=False
    )
    lines = answer.stdout.splitlines()
    assert (answer.returncode, len(lines), len(set(lines))) == (0, 8, 1), answer
    assert lines[0].startswith("('fused', None, ")
    assert all(path.suffix == ".so" for path in cache.iterdir())
    assert len(list(cache.iterdir())) == 2  # the cell's, and the products


def test_a_compilation_killed_half_way(cache: Path, tmp_path: Path) -> None:
    """The process and its compiler die while a file is half written; the next ones are not disturbed."""
    slow = script(
        tmp_path / "slow",
        f'case "$*" in *-dM*) exec {real_compiler()} "$@";; esac\n'
        'for last; do :; done\nhead -c 1000 /dev/zero > "$last"\nsleep 60',
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{ALONE}; compiles({SOURCE!r}, True)"],
        env=os.environ | {"CXX": str(slow)},
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not list(cache.glob("building-*/made.so")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = list(cache.iterdir())
    assert left
    assert not [path for path in left if path.suffix == ".so"]
    assert answer() == 42


def test_what_killed_compilations_left_is_removed_but_not_what_others_still_build(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "KEPT", 4)
    answer()
    old, new = cache / "building-old", cache / "building-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "source.cpp").write_text("")
    os.utime(old, (1, 1))
    for number in range(6):
        compile_library(f"{SOURCE}// {number}", True)
    assert not old.exists()
    assert new.exists()
    assert 3 <= len(list(cache.glob("*.so"))) <= 5


def test_the_libraries_not_used_for_longest_go(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "KEPT", 4)
    answer()
    (first,) = cache.glob("*.so")
    for number in range(3):
        compile_library(f"{SOURCE}// {number}", True)
    for path in cache.glob("*.so"):
        os.utime(path, (5, 5) if path == first else (1, 1))
    compile_library(f"{SOURCE}// last", True)
    assert len(list(cache.glob("*.so"))) == 3
    assert first.exists()


# Whose folder it is


def test_a_folder_that_others_may_write_to_is_not_used(cache: Path) -> None:
    cache.mkdir(parents=True)
    for mode in (0o770, 0o707, 0o777):
        cache.chmod(mode)
        assert cache_folder() != cache
        assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700
    assert answer() == 42
    assert not list(cache.iterdir())
    cache.chmod(0o700)
    assert cache_folder() == cache


def test_a_link_is_not_followed(cache: Path, tmp_path: Path) -> None:
    cache.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "elsewhere")
    assert cache_folder() != cache
    assert answer() == 42
    assert not list((tmp_path / "elsewhere").iterdir())


def test_another_users_folder_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    assert cache_folder() != cache


def test_where_there_is_no_place_to_write(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home folder that cannot be written to, or is none: this process's own folder serves."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert answer() == 42
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        patch.setenv("HOME", str(tmp_path / "home"))
        assert tmp_path not in cache_folder().parents
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home directory")))
    assert answer() == 42


@pytest.fixture
def no_cache(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache home that is a file, in a process that has compiled nothing yet."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(toolchain, "_own", None)


def test_threads_share_the_folder_of_the_process(no_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell and the matrix products are compiled side by side, the first time also where nothing can be kept."""
    make, together = tempfile.TemporaryDirectory, threading.Barrier(2)

    def slowly(**options: Any) -> Any:
        made = make(**options)
        time.sleep(0.2)  # the other thread asks meanwhile
        return made

    def folder(number: int) -> Path:
        together.wait()
        return cache_folder()

    monkeypatch.setattr(tempfile, "TemporaryDirectory", slowly)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(folder, range(2))
    gc.collect()
    assert one == other and one.is_dir()


def test_a_new_cell_is_compiled_where_nothing_can_be_kept(no_cache: None) -> None:
    rnn = RNN(parse_cell(CELL), 3, 4, backend="auto")
    rnn(torch.zeros(2, 1, 3))
    assert rnn.fallback is None


def test_the_folder_of_the_process_is_made_again(no_cache: None) -> None:
    """Systems tidy up what has lain in /tmp for days, and a search may take as long."""
    shutil.rmtree(cache_folder())
    assert answer() == 42


def test_a_relative_cache_home_does_not_count(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the XDG Base Directory Specification has it; else it would move with the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == tmp_path / "home" / ".cache" / "nas_rnn" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == tmp_path / "home" / ".cache" / "nas_rnn" / "kernels"


def test_a_folder_removed_meanwhile_is_made_again(cache: Path) -> None:
    assert answer() == 42
    shutil.rmtree(cache)
    compile_library(SOURCE + "// more", True)
    assert len(list(cache.iterdir())) == 1


# No compiler, or one that fails


def without_a_compiler(monkeypatch: pytest.MonkeyPatch, how: str, tmp_path: Path) -> None:
    match how:
        case "empty path":
            monkeypatch.delenv("CXX", raising=False)
            monkeypatch.setenv("PATH", str(tmp_path))
        case "another name":
            monkeypatch.setenv("CXX", "no-such-compiler")
        case "not working":
            monkeypatch.setenv("CXX", str(script(tmp_path / "broken", "echo it is broken >&2; exit 1")))
        case "not a program":
            broken = tmp_path / "text"
            broken.write_text("no program")
            broken.chmod(0o755)
            monkeypatch.setenv("CXX", str(broken))
    forget()


@pytest.mark.parametrize("how", ["empty path", "another name", "not working", "not a program"])
@pytest.mark.usefixtures("cache")
def test_without_a_compiler(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_a_compiler(monkeypatch, how, tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            rnn = RNN(parse_cell(CELL), 3, 4)
            output, _ = rnn(torch.randn(5, 2, 3))
            output.sum().backward()
    (record,) = caplog.records
    assert "slower eager backend" in record.message
    assert "C++ compiler" in record.message
    assert rnn.backend == "eager"
    assert "C++ compiler" in str(rnn.fallback)
    with pytest.raises(UserError, match=r"fused backend cannot run.*C\+\+ compiler.*backend='auto'"):
        RNN(parse_cell(CELL), 3, 4, backend="fused")
    with pytest.raises(UserError, match="fused backend cannot run"):
        rnn.backend = "fused"
    rnn.backend = "reference"
    torch.testing.assert_close(rnn(torch.ones(2, 1, 3))[0].shape, torch.Size([2, 1, 4]))


@pytest.mark.usefixtures("cache")
def test_a_compiler_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what it is, and then compiles nothing: eager runs, and it is known why."""
    failing = script(
        tmp_path / "failing",
        f'case "$*" in *-dM*) exec {real_compiler()} "$@";; esac\nprintf "\\377 internal compiler error" >&2; exit 1',
    )
    monkeypatch.setenv("CXX", str(failing))
    forget()
    with pytest.raises(CompileError, match="internal compiler error"):
        answer()
    rnn = RNN(parse_cell(CELL), 3, 4)
    x = torch.randn(5, 2, 3)
    output, _ = rnn(x)
    assert rnn.backend == "eager"
    assert "internal compiler error" in str(rnn.fallback)
    rnn.backend = "reference"
    torch.testing.assert_close(output, rnn(x)[0])
    assert rnn.fallback is None
    rnn.backend = "fused"
    with pytest.raises(UserError, match=r"fused backend cannot run 'f'.*internal compiler error"):
        rnn(x)


@pytest.mark.usefixtures("cache")
def test_a_compiler_that_makes_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = script(
        tmp_path / "lying",
        f'case "$*" in *-dM*) exec {real_compiler()} "$@";; esac\n'
        'for last; do :; done\necho "no library" > "$last"',
    )
    monkeypatch.setenv("CXX", str(lying))
    forget()
    with pytest.raises(CompileError, match="cannot be loaded"):
        answer()


@pytest.mark.usefixtures("cache")
def test_a_compiler_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = script(
        tmp_path / "hanging", f'case "$*" in *-dM*) exec {real_compiler()} "$@";; esac\nexec sleep 60'
    )
    monkeypatch.setenv("CXX", str(hanging))
    forget()
    compiler()
    monkeypatch.setattr(toolchain, "SECONDS", 0.5)
    with pytest.raises(CompileError, match="timed out"):
        answer()


@pytest.mark.usefixtures("cache")
def test_an_instruction_set_that_the_compiler_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags are left out until the compiler takes them."""
    picky = script(tmp_path / "picky", f'case "$*" in *native*) exit 1;; esac\nexec {real_compiler()} "$@"')
    monkeypatch.setenv("CXX", str(picky))
    forget()
    assert compiler()[1] == toolchain.FLAGS
    rnn = RNN(parse_cell(CELL), 3, 4, dtype=torch.float64)
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    output, _ = rnn(x)
    assert rnn.backend == "fused"
    rnn.backend = "reference"
    torch.testing.assert_close(output, rnn(x)[0])


def test_threads_work_in_a_forked_process() -> None:
    """The parent's threads are not there: waiting for them would be for ever."""
    torch.set_num_threads(2)
    rnn = RNN("lstm", 3, 4)
    x = torch.randn(5, 8, 3)
    with torch.no_grad():
        rnn(x)
        child = os.fork()
        if child == 0:
            rnn(x)
            os._exit(7)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            assert os.waitstatus_to_exitcode(status) == 7
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked process hangs")


def test_a_cell_too_large_to_be_compiled_runs_eagerly() -> None:
    lines = "\n    ".join(["h = tanh(h)"] * 800)
    large = parse_cell(f"def chain(x, h):\n    h = linear(x, h)\n    {lines}\n    return h\n")
    x = torch.randn(2, 1, 3)
    with pytest.raises(UserError, match=r"too large to be compiled: its C\+\+ has 14\d,\d{3} characters"):
        RNN(large, 3, 3, backend="fused")(x)
    layer = RNN(large, 3, 3)
    layer(x)
    assert layer.backend == "eager"
