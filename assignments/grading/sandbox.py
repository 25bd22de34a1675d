"""A process for a stranger's code: no network, no files, little memory, little time.

The walls are bubblewrap's (the Debian and Fedora package `bubblewrap`): namespaces of its
own for processes, network and mounts; of the system only the libraries, Python and its
packages, all read-only; one small place to write, in memory; a filter for system calls. The
limits inside are set by the runner before it looks at the notebook, and watched from here.
"""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from . import seccomp

RUNNER = Path(__file__).with_name("runner.py")
ROOT = Path(__file__).parents[2]

MEGABYTE = 2**20
MOST_REPORTED = 4 * MEGABYTE  # bytes of a report
MOST_WRITTEN = 32 * MEGABYTE  # bytes of the place to write
MOST_PROCESSES = 24
GRACE = 2.0  # seconds a runner may be late with stopping a cell itself
POLL = 0.05
FIRST_USER = 2_000_000_000  # numbers of users that no system gives away

INSTALL = (
    "install bubblewrap 0.7 or newer (Debian, Ubuntu: sudo apt install bubblewrap; Fedora: "
    "sudo dnf install bubblewrap), or use a Linux virtual machine or container where it works; "
    "UNSAFE=1 (--unsafe) runs every notebook with your own rights and is for notebooks that "
    "you trust"
)


class UnconfinedError(Exception):
    """No sandbox can be built here; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a notebook may use.

    Attributes:
        cell_seconds: for one cell.
        call_seconds: for one call of a function.
        seconds: for all cells and calls of one run.
        memory: bytes, for all processes of one run together.
    """

    cell_seconds: float = 15
    call_seconds: float = 5
    seconds: float = 60
    memory: int = 1024 * MEGABYTE


@dataclass
class Outcome:
    """How a run in the sandbox ended.

    Attributes:
        report: the last line, if the runner came to its end: not to be trusted.
        step: what the runner was doing last, such as ["cell", 3]: not to be trusted either.
        ended: "" | "late" | "memory" | "flood" | "died".
        code: the exit code, where it died.
        said: the end of what the sandbox itself complained about.
    """

    report: str | None = None
    step: list[Any] | None = None
    ended: str = ""
    code: int | None = None
    said: str = ""


@dataclass(frozen=True)
class Sandbox:
    """Starts confined processes; one for each place in the queue.

    Args:
        place: Its number in the queue, from 0: each has a user of its own.
        confined: False only where the teacher asked for it.
        hidden: Folders that must not be seen, wherever they lie.
    """

    place: int = 0
    confined: bool = True
    hidden: tuple[Path, ...] = (ROOT,)
    user: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.confined and os.geteuid() == 0:
            object.__setattr__(self, "user", FIRST_USER + self.place)

    def read(self, notebook: bytes, limits: Limits) -> Outcome:
        """Parse a notebook, and report its cells."""
        return self._start("read", notebook, limits, flopslib=False)

    def run(self, job: Mapping[str, Any], limits: Limits, *, flopslib: bool) -> Outcome:
        """Run cells and calls, and report what they gave."""
        content = {**job, "flopslib": flopslib}
        return self._start("run", json.dumps(content).encode(), limits, flopslib=flopslib)

    def _start(self, task: str, content: bytes, limits: Limits, *, flopslib: bool) -> Outcome:
        if self.confined:
            return self._confined(task, content, limits, flopslib=flopslib)
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(packages())]
            if flopslib:
                # a folder that holds flopslib alone, not the whole repository
                library = Path(folder, "library")
                library.mkdir()
                (library / "flopslib").symlink_to(ROOT / "flopslib")
                paths.insert(0, str(library))
            home = Path(folder, "home")
            home.mkdir()
            command = [*interpreter(), str(RUNNER), task, self._settings(limits, paths)]
            return watch(command, content, limits, environment(str(home)), cwd=home)

    def _confined(self, task: str, content: bytes, limits: Limits, *, flopslib: bool) -> Outcome:
        program = shutil.which("bwrap")
        if program is None:
            raise UnconfinedError(f"bwrap was not found: {INSTALL}")
        paths = ["/library"] if flopslib else []
        paths.append("/packages")
        command = [program, *self._walls(flopslib=flopslib)]
        read = None
        if filter_program := seccomp.program():
            read, write = os.pipe()
            os.write(write, filter_program)
            os.close(write)
            command += ["--seccomp", str(read)]
        command += [*interpreter(), "/runner.py", task, self._settings(limits, paths)]
        try:
            keep = () if read is None else (read,)
            return watch(command, content, limits, {}, cwd="/", pass_fds=keep)
        finally:
            if read is not None:
                os.close(read)

    def _walls(self, *, flopslib: bool) -> list[str]:
        """Return bubblewrap's options, in the order in which it follows them."""
        walls = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        walls += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"]
        walls += ["--hostname", "sandbox", "--cap-drop", "ALL"]
        if self.user:  # the runner gives up root itself, and can do nothing else with it
            walls += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            walls += ["--unshare-user", *forbid_namespaces()]
        seen = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/lib32"), *interpreter_places()]
        for path in seen:
            walls += [*parents(path), "--ro-bind-try", str(path), str(path)]
        for path in (Path("/lib"), Path("/lib64"), Path("/lib32")):
            if path.is_symlink():
                walls += ["--symlink", os.readlink(path), str(path)]
            elif path.exists():
                walls += ["--ro-bind", str(path), str(path)]
        if Path("/etc/ld.so.cache").exists():
            walls += [*parents(Path("/etc/ld.so.cache"))]
            walls += ["--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        for path in self.hidden:
            if any(path.is_relative_to(one) for one in seen):
                walls += ["--tmpfs", str(path), "--remount-ro", str(path)]
        walls += ["--ro-bind", str(packages()), "/packages"]
        walls += ["--ro-bind", str(RUNNER), "/runner.py"]
        if flopslib:
            walls += [*parents(Path("/library/flopslib"))]
            walls += ["--ro-bind", str(ROOT / "flopslib"), "/library/flopslib"]
        # /dev and / themselves are in memory and without a limit, so nobody may write there
        walls += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        walls += ["--perms", "1777", "--size", str(MOST_WRITTEN), "--tmpfs", "/tmp"]
        walls += ["--remount-ro", "/", "--chdir", "/tmp"]
        for name, value in environment("/tmp").items():
            walls += ["--setenv", name, value]
        return walls

    def _settings(self, limits: Limits, paths: Sequence[str]) -> str:
        seconds = int(limits.seconds) + 5
        resources = {
            "RLIMIT_AS": limits.memory,
            "RLIMIT_CPU": seconds,
            "RLIMIT_FSIZE": MOST_WRITTEN,
            "RLIMIT_CORE": 0,
            "RLIMIT_NOFILE": 128,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_MEMLOCK": 0,
        }
        if self.confined:  # elsewhere it would count all the processes of the teacher
            resources["RLIMIT_NPROC"] = MOST_PROCESSES
        return json.dumps({"user": self.user, "resources": resources, "paths": paths})


def environment(home: str) -> dict[str, str]:
    """Return all the environment that a notebook sees."""
    return {
        "HOME": home,
        "TMPDIR": home,
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": home,
        # a pool of threads for linear algebra would take most of the memory and the processes
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def interpreter() -> list[str]:
    """Return the command for this Python without its environment, its user and its site.

    A fixed seed for hashes would be ignored beside -I; what is compared has no order.
    """
    program = getattr(sys, "_base_executable", sys.executable)
    return [os.path.realpath(program), "-I", "-S", "-B", "-X", "utf8"]


def interpreter_places() -> list[Path]:
    """Return where this Python's program and library lie."""
    prefixes = {sys.base_prefix, sys.base_exec_prefix}
    if "/usr" in prefixes:
        return [Path(interpreter()[0])]  # its library is in /usr/lib
    return [Path(prefix) for prefix in sorted(prefixes)]


def packages() -> Path:
    """Return the folder of the installed packages: SymPy, NumPy and whatever is beside them."""
    import sympy

    return Path(sympy.__file__).parents[1]


def parents(path: Path) -> list[str]:
    """Return the options that make the folders above a path, open to every user."""
    options = []
    for folder in reversed(path.parents[:-1]):
        options += ["--perms", "0755", "--dir", str(folder)]
    return options


@cache
def forbid_namespaces() -> tuple[str, ...]:
    """Return the option of bubblewrap 0.8 that forbids further user namespaces, if it has it."""
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=10)
        if "--disable-userns" in told.stdout + told.stderr:
            return ("--disable-userns",)
    return ()


def check() -> None:
    """Build one sandbox, and see that it holds.

    Raises:
        UnconfinedError: there is none to be had; the text says why and what to do.
    """
    cells = [[1, TRIAL]]
    job = {
        "cells": cells, "skip": [], "skip_calls": [], "calls": {}, "values": ["found"],
        "cell_seconds": 10, "call_seconds": 5,
    }  # fmt: skip
    outcome = Sandbox().run(job, Limits(seconds=20), flopslib=False)
    try:
        found = json.loads(outcome.report or "")["values"]["found"]["value"]
    except (ValueError, LookupError, TypeError):
        said = outcome.said.strip().splitlines()[-1:] or [outcome.ended or "no report"]
        raise UnconfinedError(f"bwrap did not work ({said[0]}): {INSTALL}") from None
    if found != []:
        leaks = ", ".join(map(str, found))
        raise UnconfinedError(f"the sandbox does not hold ({leaks}): {INSTALL}")


#: Run inside, to see whether the walls stand: what it finds open comes back.
TRIAL = f"""
import os, socket
found = []
if os.path.exists({str(ROOT / "assignments")!r}):
    found.append("the repository can be seen")
for folder in ("/", "/dev", "/usr/lib", "/packages"):
    try:
        open(os.path.join(folder, "trial"), "w").close()
        found.append(folder + " can be written to")
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", 22), 1)
    found.append("the network can be reached")
except OSError:
    pass
if os.getuid() == 0:
    found.append("root's rights are kept")
"""


def watch(
    command: Sequence[str],
    content: bytes,
    limits: Limits,
    env: Mapping[str, str],
    *,
    cwd: Path | str,
    pass_fds: Sequence[int] = (),
    now: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Run a command on some input, within the limits, and return how it ended.

    What it says is read as it comes and never kept beyond a bound. Whatever happens, no
    process of it is left.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    try:
        return _follow(process, content, limits, now)
    finally:
        _end(process)


def _follow(
    process: subprocess.Popen[bytes], content: bytes, limits: Limits, now: Callable[[], float]
) -> Outcome:
    assert process.stdin
    assert process.stdout
    assert process.stderr
    outcome = Outcome()
    deadline = now() + limits.seconds + GRACE
    step_deadline = deadline
    left, line, total = memoryview(content), bytearray(), 0
    with selectors.DefaultSelector() as selector:
        for stream, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, event)
        looked = now()
        open_streams = 2
        while open_streams:
            for key, _ in selector.select(POLL):
                if key.fileobj is process.stdin:
                    try:
                        left = left[os.write(key.fd, left[:65536]) :]
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                    open_streams -= 1
                elif key.fileobj is process.stderr:
                    outcome.said = (outcome.said + data.decode("utf-8", "replace"))[-2000:]
                else:
                    total += len(data)
                    line += data
                    if total > MOST_REPORTED:
                        outcome.ended, outcome.report = "flood", None
                        return outcome
                    *lines, rest = line.split(b"\n")
                    line = bytearray(rest)
                    for one in lines:
                        step = _step(bytes(one))
                        if step is None:
                            if outcome.report is not None:  # two reports: one is forged
                                outcome.ended, outcome.report = "flood", None
                                return outcome
                            outcome.report = one.decode("ascii", "replace")
                        else:
                            outcome.step = step
                            allowed = limits.cell_seconds
                            if step[0] == "call":
                                allowed = limits.call_seconds
                            step_deadline = now() + allowed + GRACE
            moment = now()
            if moment > min(deadline, step_deadline):
                outcome.ended = "late"
                return outcome
            if moment - looked > 2 * POLL:
                looked = moment
                if _is_greedy(process.pid, limits.memory):
                    outcome.ended = "memory"
                    return outcome
    try:
        outcome.code = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        outcome.ended = "late"
        return outcome
    if outcome.report is None:
        outcome.ended = "died"
    return outcome


def _step(line: bytes) -> list[Any] | None:
    """Return what a line says the runner begins, or None for any other line."""
    if len(line) > 500 or not line.startswith(b'{"at": ['):
        return None
    try:
        step = json.loads(line)["at"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    match step:
        case ["cell", int()] | ["call", str(), int()]:
            return list(step)
    return None


def _is_greedy(pid: int, memory: int) -> bool:
    """Whether a process and all below it hold more than the memory, or are too many."""
    held = count = 0
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                used = process.memory_info()
                held += used.rss - used.shared
                count += 1
    return held > memory * 1.25 or count > MOST_PROCESSES + 8


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a process: its namespace of processes dies with it."""
    below = []
    with suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in below:
        with suppress(psutil.Error):
            child.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
