"""The files of the project, as git has them or, in a copy without git, as they lie there."""

import subprocess
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sources(folder="."):
    """Return the paths of a folder's files, less what .gitignore names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return lying_there(ROOT, folder)
    return {name for name in done.stdout.split("\n") if name and (ROOT / name).exists()}


def lying_there(root, folder="."):
    """Return what a walk finds; a pattern of .gitignore is a name or, with a slash, a path."""
    patterns = [line.rstrip("/") for line in (root / ".gitignore").read_text().split()]
    found = set()
    waiting = [root / folder]
    while waiting:
        for path in waiting.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if name == ".git" or any(ignores(pattern, name) for pattern in patterns):
                continue
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            else:
                found.add(name)
    return found


def ignores(pattern, name):
    if "/" in pattern:
        return name == pattern.lstrip("/")
    return fnmatch(name.rpartition("/")[2], pattern)
