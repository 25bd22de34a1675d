"""What is written to disk: each result under its own fingerprint, and nothing of a teacher's lost.

A result is written to another name first and then renamed, so that a run that is killed
leaves whole files only. A table or a page that somebody has changed since is not replaced:
the new one goes beside it.
"""

import glob
import json
import os
import re
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from .examine import STATUSES, Record

SOURCES = sorted(Path(__file__).parent.glob("*.py"))


def version() -> str:
    """Return a fingerprint of the grader itself: its answers may change with it."""
    total = sha256()
    for path in SOURCES:
        total.update(path.read_bytes())
    return total.hexdigest()


def fingerprint(*parts: bytes | str) -> str:
    """Return one digest of several things, none of which can run into the next.

    >>> fingerprint("ab", "c") == fingerprint("a", "bc")
    False
    """
    total = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def slug(text: str) -> str:
    """Return a name for a file that says whose it is, whatever the identifier is made of.

    >>> slug("anna@school.edu"), slug("../x"), len(slug("y" * 500)) < 70
    ('anna@school.edu', '_x-d6b96a', True)
    """
    plain = re.sub(r"[^\w@+.-]+", "_", text).strip(".-")[:50]
    return plain if plain == text else f"{plain}-{sha256(text.encode()).hexdigest()[:6]}"


def write(path: Path, content: str | bytes) -> None:
    """Write a file wholly or not at all."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o600)  # grades are nobody else's business
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


class Results:
    """The results of one set, one file for each submission as it was."""

    def __init__(self, folder: Path):
        self.folder = folder / "results"

    def path(self, person: str, digest: str) -> Path:
        """Return where a result lies."""
        return self.folder / f"{slug(person)}.{digest[:20]}.json"

    def load(self, person: str, digest: str) -> Record | None:
        """Return a result of an earlier run, if there is one and it is whole."""
        try:
            content = json.loads(self.path(person, digest).read_bytes())
            record = Record(**content["record"])
        except (OSError, ValueError, LookupError, TypeError):
            return None
        whole = content["digest"] == digest and record.id == person and record.status in STATUSES
        return record if whole else None

    def last(self, person: str, submission: str) -> Record | None:
        """Return the newest result of the same file, whatever it was graded with."""
        paths = self.folder.glob(f"{glob.escape(slug(person))}.*.json")
        for path in sorted(paths, key=lambda one: one.stat().st_mtime_ns, reverse=True):
            try:
                content = json.loads(path.read_bytes())
                record = Record(**content["record"])
            except (OSError, ValueError, LookupError, TypeError):
                continue
            if content.get("submission") == submission and record.id == person:
                return record
        return None

    def store(self, digest: str, submission: str, record: Record) -> None:
        """Keep a result.

        Args:
            digest: of everything that it depends on.
            submission: of the file alone.
            record: the result.
        """
        content = {"digest": digest, "submission": submission, "record": record.as_dict()}
        write(self.path(record.id, digest), json.dumps(content, ensure_ascii=False, indent=1))

    def sweep(self) -> None:
        """Remove what a killed run had begun to write."""
        for path in self.folder.glob(".writing-*"):
            path.unlink(missing_ok=True)


class Shelf:
    """The files that a teacher opens; one that was changed by hand is never replaced."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.ledger = folder / "results" / ".written.json"
        self.written: dict[str, str] = {}
        with suppress(OSError, ValueError):
            found = json.loads(self.ledger.read_bytes())
            self.written = {str(name): str(digest) for name, digest in found.items()}

    def put(self, name: str, content: str | bytes) -> Path:
        """Write a file, beside the one that is there if that is not as it was written.

        Returns:
            Where it is now.
        """
        data = content.encode("utf-8", "replace") if isinstance(content, str) else content
        path = self.folder / name
        number = 1
        while not self._is_ours(path, data):
            number += 1
            path = (self.folder / name).with_stem(f"{Path(name).stem}-{number}")
        if not path.exists() or path.read_bytes() != data:
            write(path, data)
        self.written[str(path.relative_to(self.folder))] = sha256(data).hexdigest()
        return path

    def _is_ours(self, path: Path, data: bytes) -> bool:
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            return not path.is_symlink()
        except OSError:
            return False
        known = self.written.get(str(path.relative_to(self.folder)))
        return found == data or sha256(found).hexdigest() == known

    def close(self) -> None:
        """Remember what was written."""
        write(self.ledger, json.dumps(self.written, indent=1))
