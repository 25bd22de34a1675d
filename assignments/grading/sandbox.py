"""A process for a stranger's code: no network, no files, little memory, little time.

The walls are bubblewrap's (the Debian and Fedora package `bubblewrap`): namespaces of its
own for processes, network and mounts; of the system only the libraries, Python and its
packages, all read-only; one small place to write, in memory; a filter for system calls. The
limits inside are set by the runner before it looks at the notebook, and watched from here.
"""

import atexit
import importlib.util
import json
import os
import py_compile
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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
COMPILED = "runner.pyc"
ROOT = Path(__file__).parents[2]
#: What a student may import where values are asked for.
OURS = ("flopslib", "flopsbook")

MEGABYTE = 2**20
MOST_REPORTED = 4 * MEGABYTE  # bytes of a report
MOST_READ = 64 * MEGABYTE  # bytes of a notebook's cells, with the pictures in them
MOST_WRITTEN = 32 * MEGABYTE  # bytes of the place to write
MOST_PROCESSES = 24
MOST_NOTED = 40
FILE_BYTES = 1200  # of the kernel's memory, for the smallest file
CELLS_PART, CALLS_PART = 2, 12  # of the time of a run, if nobody says otherwise
GRACE = 1.5  # seconds a runner may be late with stopping a cell itself
PATIENCE = 4  # seconds of waiting for a second of work: the machine may be busy
POLL = 0.05
FIRST_USER = 2_000_000_000  # numbers of users that no system gives away

INSTALL = (
    "install bubblewrap 0.7 or newer (Debian, Ubuntu: sudo apt install bubblewrap; Fedora: "
    "sudo dnf install bubblewrap), or use a Linux virtual machine or container where it works; "
    "UNSAFE=1 (--unsafe) runs every notebook with your own rights and is for notebooks that "
    "you trust"
)


#: Set when the whole run is to stop.
STOP = threading.Event()


class StoppedError(Exception):
    """The run was stopped before this notebook was through."""


class UnconfinedError(Exception):
    """No sandbox can be built here; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a notebook may use. Seconds are the processor's; waiting may take longer.

    `Limits.of` takes one number from which the others follow.

    Attributes:
        cell_seconds: for one cell.
        call_seconds: for one call of a function.
        seconds: for all cells and calls of one run.
        memory: bytes, for all processes of one run together.
    """

    cell_seconds: float = 30
    call_seconds: float = 5
    seconds: float = 60
    memory: int = 1024 * MEGABYTE

    @classmethod
    def of(
        cls,
        seconds: float = 60,
        memory: int = 1024 * MEGABYTE,
        cell_seconds: float | None = None,
        call_seconds: float | None = None,
    ) -> "Limits":
        """Return limits in which a cell has half the time of a run, and a call a twelfth.

        >>> Limits.of(600).cell_seconds, Limits.of(600, call_seconds=2).call_seconds
        (300.0, 2)
        """
        return cls(
            cell_seconds=seconds / CELLS_PART if cell_seconds is None else cell_seconds,
            call_seconds=seconds / CALLS_PART if call_seconds is None else call_seconds,
            seconds=seconds,
            memory=memory,
        )


@dataclass
class Outcome:
    """How a run in the sandbox ended.

    Attributes:
        cells: the first line, with the notebook's cells or why there are none.
        report: the last line, if the runner came to its end: not to be trusted.
        step: what the runner was doing last, such as ["cell", 3]: not to be trusted either.
        noted: attempts, as they were noted: not to be trusted either.
        wants: whether the notebook asked for the library where it is not, as it says.
        seconds: of the processor that it took.
        ended: "" | "late" | "memory" | "flood" | "died".
        code: the exit code, where it died.
        said: the end of what the sandbox itself complained about.
    """

    cells: str | None = None
    report: str | None = None
    step: list[Any] | None = None
    noted: list[Any] = field(default_factory=list)
    wants: bool = False
    seconds: float = 0.0
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

    def run(
        self, notebook: bytes, job: Mapping[str, Any], limits: Limits, *, flopslib: bool
    ) -> Outcome:
        """Read a notebook, run its cells and the calls, and report what they gave.

        Args:
            notebook: the file as it was handed in.
            job: which values and calls to report, and which cells and calls to leave out.
            limits: what it may use.
            flopslib: whether the library can be imported; a student's numbers always can.
        """
        times = {"cell_seconds": limits.cell_seconds, "call_seconds": limits.call_seconds}
        told = json.dumps({**job, **times, "flopslib": flopslib}).encode()
        content = told + b"\n" + notebook
        if self.confined:
            return self._confined(content, limits, flopslib=flopslib)
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "library")
            if flopslib:
                # a folder that holds the two packages alone, not the whole repository
                library.mkdir()
                for package in OURS:
                    (library / package).symlink_to(ROOT / package)
            else:
                shutil.copytree(prepared() / "personal", library)
            home = Path(folder, "home")
            home.mkdir()
            paths = [str(library), str(packages())]
            program = prepared() / COMPILED
            command = [*interpreter(), str(program), self._settings(limits, paths)]
            return watch(command, content, limits, environment(str(home)), cwd=home)

    def _confined(self, content: bytes, limits: Limits, *, flopslib: bool) -> Outcome:
        program = shutil.which("bwrap")
        if program is None:
            raise UnconfinedError(f"bwrap was not found: {INSTALL}")
        paths = ["/library", "/packages"]
        command = [program, *self._walls(flopslib=flopslib)]
        read = None
        if filter_program := seccomp.program():
            read, write = os.pipe()
            os.write(write, filter_program)
            os.close(write)
            command += ["--seccomp", str(read)]
        command += [*interpreter(), f"/{COMPILED}", self._settings(limits, paths)]
        try:
            keep = () if read is None else (read,)
            outcome = watch(command, content, limits, {}, cwd="/", pass_fds=keep)
        finally:
            if read is not None:
                os.close(read)
        if outcome.ended == "died" and outcome.step is None and outcome.said.startswith("bwrap: "):
            raise UnconfinedError(f"bwrap did not work ({outcome.said.strip()}): {INSTALL}")
        return outcome

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
        walls += ["--ro-bind", str(prepared() / COMPILED), f"/{COMPILED}"]
        if flopslib:
            walls += [*parents(Path("/library/flopslib"))]
            for package in OURS:
                walls += ["--ro-bind", str(ROOT / package), f"/library/{package}"]
        else:
            walls += ["--ro-bind", str(prepared() / "personal"), "/library"]
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


@cache
def packages() -> Path:
    """Return the folder of the installed packages: SymPy, NumPy and whatever is beside them."""
    found = importlib.util.find_spec("sympy")
    assert found
    assert found.origin
    return Path(found.origin).parents[1]


@cache
def prepared() -> Path:
    """Return a folder with the runner, compiled, and a student's numbers without the library.

    Each notebook starts a Python of its own, so nothing is compiled there that could have been
    compiled once, and nothing is imported for the numbers but the one module that draws them.
    No run can write to it, and it goes with this process.
    """
    folder = Path(tempfile.mkdtemp(prefix="runner-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    once = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(
        str(RUNNER), str(folder / COMPILED), "/runner.py", doraise=True, invalidation_mode=once
    )
    package = folder / "personal" / "flopsbook" / "exercises"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "flopsbook" / "exercises" / "personal.py", package)
    for place in (package.parent, package):
        (place / "__init__.py").touch()
        for source in place.glob("*.py"):
            inside = "/library" / source.relative_to(folder / "personal")
            py_compile.compile(str(source), dfile=str(inside), doraise=True, invalidation_mode=once)
    for path in (folder, *folder.rglob("*")):  # whatever the user's umask, the sandbox reads it
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


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


def trouble() -> str | None:
    """Return why the walls cannot be put up on this machine, or None where they can.

    Whether they hold, and whether anything works behind them, is not asked: see `check`.
    """
    program = shutil.which("bwrap")
    if program is None:
        return "was not found"
    trial = Sandbox()
    become = f"import os; os.setgid({trial.user}); os.setuid({trial.user})" if trial.user else ""
    command = [program, *trial._walls(flopslib=True), *interpreter(), "-c", become]
    try:
        done = subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, timeout=60)
    except OSError as error:
        return f"could not start: {error}"
    except subprocess.TimeoutExpired:
        return "could not start: no answer within a minute"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return f"could not start: {said[0]}"


def check() -> None:
    """Build one sandbox, and see that it holds.

    Raises:
        UnconfinedError: there is none to be had; the text says why and what to do.
    """
    job = {"set": "", "skip": [], "skip_calls": [], "calls": {}, "values": ["found"]}
    limits = Limits(cell_seconds=10, seconds=20)
    outcome = Sandbox().run(notebook(TRIAL), job, limits, flopslib=False)
    try:
        found = json.loads(outcome.report or "")["values"]["found"]["value"]
    except (ValueError, LookupError, TypeError):
        said = outcome.said.strip().splitlines()[-1:] or [outcome.ended or "no report"]
        raise UnconfinedError(f"the sandbox did not work ({said[0]}): {INSTALL}") from None
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
    clock = Clock(limits, now)
    reader = Reader(outcome, clock)
    left = memoryview(content)
    looked = now()
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
            writes = stream is process.stdin
            selector.register(stream, selectors.EVENT_WRITE if writes else selectors.EVENT_READ)
        open_streams = {process.stdout, process.stderr}
        while open_streams and not outcome.ended:
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
                    open_streams -= {process.stdout, process.stderr} & {key.fileobj}
                elif key.fileobj is process.stderr:
                    outcome.said = (outcome.said + data.decode("utf-8", "replace"))[-2000:]
                else:
                    reader.feed(data)
            if STOP.is_set():
                raise StoppedError
            if now() - looked > 2 * POLL:
                looked = now()
                memory, outcome.seconds, count = usage(process.pid)
                if memory > limits.memory * 1.25 or count > MOST_PROCESSES + 8:
                    outcome.ended = "memory"
            if not outcome.ended and clock.is_over(outcome.seconds):
                outcome.ended = "late"
    if not outcome.ended:
        try:
            outcome.code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            outcome.ended = "late"
    if not outcome.ended and outcome.report is None:
        outcome.ended = "died"
    return outcome


class Clock:
    """Knows when a step, and the whole, have taken too long."""

    def __init__(self, limits: Limits, now: Callable[[], float]):
        self.limits = limits
        self.now = now
        self.seconds = 0.0
        self.start = self.step_start = now()
        self.step_seconds = 0.0
        self.allowed = limits.seconds

    def step(self, kind: str) -> None:
        """A step begins, such as a cell."""
        limits = self.limits
        self.allowed = limits.call_seconds if kind == "call" else limits.cell_seconds
        self.step_start, self.step_seconds = self.now(), self.seconds

    def is_over(self, seconds: float) -> bool:
        """Whether time is up, after so many seconds of the processor."""
        self.seconds = seconds
        moment = self.now()
        return (
            seconds > self.limits.seconds + GRACE
            or seconds - self.step_seconds > self.allowed + GRACE
            or moment - self.start > PATIENCE * self.limits.seconds + GRACE
            or moment - self.step_start > PATIENCE * self.allowed + GRACE
        )


class Reader:
    """Takes what comes from the runner apart, line by line, and keeps little of it."""

    def __init__(self, outcome: Outcome, clock: Clock):
        self.outcome = outcome
        self.clock = clock
        self.line = bytearray()
        self.total = 0

    def feed(self, data: bytes) -> None:
        """Take some more bytes."""
        self.total += len(data)
        self.line += data
        if self.total > (MOST_REPORTED if self.outcome.cells is not None else MOST_READ):
            self._flood()
            return
        if b"\n" not in data:
            return
        *lines, rest = self.line.split(b"\n")
        self.line = bytearray(rest)
        for line in lines:
            self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        if self.outcome.cells is None:  # nothing of the notebook has run yet
            self.outcome.cells = line.decode("ascii", "replace")
            self.total = len(self.line)
            return
        match _aside(line):
            case {"at": ["cell", int()] | ["call", str(), int()] as step}:
                self.outcome.step = list(step)
                self.clock.step(step[0])
            case {"noted": [str(), int() | str()] as entry}:
                if len(self.outcome.noted) < MOST_NOTED:
                    self.outcome.noted.append(list(entry))
            case {"wants": True}:
                self.outcome.wants = True
            case _:
                if self.outcome.report is not None:  # of two reports one is forged
                    self._flood()
                else:
                    self.outcome.report = line.decode("ascii", "replace")

    def _flood(self) -> None:
        self.outcome.ended, self.outcome.report = "flood", None


def _aside(line: bytes) -> Any:
    """Return what a line says besides the report, or None."""
    if len(line) > 500 or not line.startswith((b'{"at": ', b'{"noted": ', b'{"wants": ')):
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def usage(pid: int) -> tuple[int, float, int]:
    """Return the memory, the seconds and the number of processes below a process."""
    memory, seconds, count = 0, 0.0, 0
    for process in below(pid):
        with suppress(psutil.Error, OSError):
            times = process.cpu_times()
            seconds += times.user + times.system
            seconds += times.children_user + times.children_system
            count += 1
            memory += _resident(process.pid)
            if count == 1:
                memory += _written(process.pid)
    return memory, seconds, count


def below(pid: int) -> list[psutil.Process]:
    """Return the processes below one, those above the others first."""
    with suppress(psutil.Error):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def notebook(*sources: str) -> bytes:
    """Return a notebook of code cells, as a file holds it."""
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode()


def _resident(pid: int) -> int:
    """Return the memory of a process that no file stands behind, shared or not."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
    return sum(int(fields.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem")) * 1024


def _written(pid: int) -> int:
    """Return the memory behind a sandbox's place to write, its many empty files included."""
    with suppress(OSError):
        place = os.statvfs(f"/proc/{pid}/root/tmp")
        if place.f_blocks * place.f_frsize <= 2 * MOST_WRITTEN:  # not the machine's own /tmp
            files = place.f_files - place.f_ffree
            return (place.f_blocks - place.f_bfree) * place.f_frsize + files * FILE_BYTES
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a process: its namespace of processes dies with it."""
    left = [] if process.poll() is not None else below(process.pid)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in left:
        with suppress(psutil.Error):
            child.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
