"""Install the environments of other counters and measure in each of them: ``make peers``.

    python tests/book/peers/run.py [ENVIRONMENT …]

Every ecosystem has an environment of its own in ``.venv-peers``, since most of them cannot be
installed together. An environment whose Python is not found keeps the figures that are stored,
and the run says so at its end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PLACE = ROOT / ".venv-peers"

#: The Python that each environment wants, and the megabytes it had after installation here.
ENVIRONMENTS = {
    "torch": ("python3", 1300),
    "torch_newest": ("python3", 5500),
    "ultralytics": ("python3", 1200),
    "jax": ("python3.12", 720),
    "tensorflow": ("python3.12", 1500),
    "paddle": ("python3.12", 860),
    "onnx": ("python3.12", 120),
    "tinygrad": ("python3", 70),
}


def works(program: str) -> bool:
    """Say whether a Python starts; a version that a manager only knows of does not."""
    try:
        return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def python(wanted: str) -> str | None:
    """Return a Python by its name, from the path or from pyenv's versions; None if there is none."""
    version = wanted.removeprefix("python")
    installed = Path.home().glob(f".pyenv/versions/{version}*/bin/python") if version != "3" else []
    here = [sys.executable] if version == "3" else [wanted, *map(str, sorted(installed))]
    return next((program for program in here if works(program)), None)


def lines(requirements: Path) -> tuple[list[str], list[str], list[str]]:
    """Return what is installed first, what without its dependencies, and the rest."""
    stated = [line for line in requirements.read_text(encoding="utf-8").splitlines() if line]
    stated = [line for line in stated if not line.startswith("#")]
    alone = [line.split()[0] for line in stated if "--no-deps" in line]
    first = [line.split()[0] for line in stated if line.startswith("torch==")]
    rest = [line.split()[0] for line in stated if line.split()[0] not in (*alone, *first)]
    return first, alone, rest


def installed(name: str, program: str) -> Path:
    """Return the Python of an environment, made anew if its requirements have changed."""
    requirements = HERE / "requirements" / f"{name}.txt"
    place = PLACE / name
    mark, inside = place / "installed", place / "bin" / "python"
    if mark.exists() and mark.read_bytes() == requirements.read_bytes():
        return inside
    subprocess.run([program, "-m", "venv", "--clear", place], check=True)
    pip = [inside, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    first, alone, rest = lines(requirements)
    for options, packages in (([], first), (["--no-deps"], alone), ([], rest)):
        if packages:
            subprocess.run([*pip, *options, *packages], check=True)
    mark.write_bytes(requirements.read_bytes())
    return inside


def main(wanted: list[str]) -> int:
    """Install and measure; return 1 if something could not be measured."""
    unknown = [name for name in wanted if name not in ENVIRONMENTS]
    if unknown:
        print(
            f"no environment {unknown[0]!r}; there are {', '.join(ENVIRONMENTS)}", file=sys.stderr
        )
        return 2
    chosen = wanted or list(ENVIRONMENTS)
    missing = [n for n in chosen if not (PLACE / n / "installed").exists()]
    room = sum(ENVIRONMENTS[name][1] for name in missing)
    free = shutil.disk_usage(ROOT).free // 10**6
    print(f"{len(chosen)} environments, {len(missing)} to install: about {room:,} MB of disk, "
          f"{free:,} MB are free; half an hour in all on two cores")  # fmt: skip
    if room > free:
        print("that does not fit; name some: make peers PEERS_ARGS='jax onnx'", file=sys.stderr)
        return 2
    kept = {}
    for name in chosen:
        program = python(ENVIRONMENTS[name][0])
        if program is None:
            kept[name] = f"no {ENVIRONMENTS[name][0]}"
            continue
        begin = time.monotonic()
        try:
            inside = installed(name, program)
            subprocess.run([inside, HERE / "measure.py", name], check=True)
            if name == "torch":  # what PyTorch keeps for the backward pass
                subprocess.run([inside, HERE / "saved.py"], check=True)
        except subprocess.CalledProcessError as error:
            kept[name] = f"{Path(error.cmd[0]).name} failed with {error.returncode}"
        size = sum(f.stat().st_size for f in (PLACE / name).rglob("*") if f.is_file()) // 10**6
        print(f"{name}: {time.monotonic() - begin:.0f} s, {size:,} MB", flush=True)
    for name, reason in kept.items():
        print(f"{name}: its figures stay as they are stored: {reason}")
    return 1 if kept else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
