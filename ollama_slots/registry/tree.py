"""Write and check the files of a mirror, laid out as a registry of plain files.

``v2/REPOSITORY/manifests/TAG`` and ``v2/REPOSITORY/blobs/sha256:HEX``. Each manifest is there by its digest, too:
that tells whether it is whole. What is not finished lies in ``.unfinished``.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from ollama_slots.core import names
from ollama_slots.registry.client import Manifest
from ollama_slots.registry.download import is_right


class Tree:
    """A mirror's directory. Each file in it is read once to see whether it is right, however many names it has."""

    def __init__(self, root: Path) -> None:
        """Look at what is there; there need not be anything."""
        self.root = root
        self._blobs: dict[str, set[Path]] = defaultdict(set)  # where each is, by digest
        self._right: dict[tuple[int, int], bool] = {}  # by file
        for path in self._files("blobs", "sha256:*"):
            self._blobs[path.name].add(path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one run at a time write to it. Raises ValueError where another does."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another run is filling {self.root}: try again when it is done") from None
            yield

    def unfinished(self, digest: str) -> Path:
        """Return the file for the download of a blob."""
        file = self.root / ".unfinished" / digest
        file.parent.mkdir(exist_ok=True)
        return file

    def damaged(self, digest: str) -> list[Path]:
        """Return the copies of a blob that are not what its digest says."""
        return sorted(path for path in self._blobs[digest] if not self._is_right(path))

    def whole(self, digest: str) -> Path | None:
        """Return a copy of a blob that is what its digest says."""
        return next((path for path in sorted(self._blobs[digest]) if self._is_right(path)), None)

    def put(self, file: Path, repository: str, digest: str) -> None:
        """Put a blob into a repository, and into each that has it damaged, as links to one file.

        + file: a right one, of the tree or of ``unfinished``
        """
        self._right[_key(file)] = True
        for place in {self._blob(repository, digest), *self.damaged(digest)}:
            self._link(file, place)
            self._blobs[digest].add(place)
        self.unfinished(digest).unlink(missing_ok=True)

    def publish(self, name: names.Name, text: bytes) -> None:
        """Publish a model whose blobs are in the tree."""
        manifests = self.root / "v2" / name.repository / "manifests"
        file = self.unfinished("manifest")
        file.unlink(missing_ok=True)  # of a run that was ended here: it may be a name of what is published
        file.write_bytes(text)
        self._link(file, manifests / _digest(text))
        self._link(file, manifests / name.tag.lower())
        file.unlink()

    def check(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each model that is there, and what of it is damaged or missing."""
        for directory in _directories(self.root / "v2"):
            for link in (it for it in directory.iterdir() if directory.name != "blobs" and not it.exists()):
                yield link.relative_to(self.root / "v2").as_posix(), ["is a link to what is not there"]
        for path in sorted(self._files("manifests", "*")):
            if path.is_file() and not path.name.startswith("sha256:"):
                repository = path.parent.parent.relative_to(self.root / "v2").as_posix()
                yield _model(repository, path.name), self._wrong(path, repository)

    def _files(self, kind: str, pattern: str) -> Iterator[Path]:
        """Yield what the directories of that name have, behind links as well: a server follows them."""
        for directory in _directories(self.root / "v2"):
            if directory.name == kind:
                yield from directory.glob(pattern)

    def _wrong(self, path: Path, repository: str) -> list[str]:
        text = path.read_bytes()
        twin = path.with_name(_digest(text))
        try:
            blobs = Manifest.model_validate_json(text).blobs
        except ValidationError:
            blobs = {}
        if not blobs or not twin.is_file() or twin.read_bytes() != text:
            return ["its manifest is damaged"]
        places = {digest: self._blob(repository, digest) for digest in blobs}
        return [
            f"blob {digest} is {'damaged' if place.is_file() else 'missing'}"
            for digest, place in places.items()
            if not place.is_file() or not self._is_right(place) or place.stat().st_size != blobs[digest]
        ]

    def _blob(self, repository: str, digest: str) -> Path:
        return self.root / "v2" / repository / "blobs" / digest

    def _is_right(self, path: Path) -> bool:
        key = _key(path)
        if key not in self._right:
            self._right[key] = is_right(path, path.name)
        return self._right[key]

    def _link(self, file: Path, place: Path) -> None:
        """Link a file to a place, whole or not at all."""
        if place.exists() and place.samefile(file):
            return  # a rename of a file over itself would leave both names
        place.parent.mkdir(parents=True, exist_ok=True)
        link = self.unfinished("link")
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(file)
            os.replace(link, place)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # One of the two is behind a link to another disk.
            copy = place.with_name(f".{place.name}")
            shutil.copyfile(file, copy)
            os.replace(copy, place)


def _directories(at: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield a directory, where it is there, and all below it; a link back to one that it lies in is passed by."""
    if at.is_dir() and (real := at.resolve()) not in above and os.access(at, os.R_OK | os.X_OK):
        yield at
        for it in at.iterdir():
            yield from _directories(it, above | {real})


def _key(path: Path) -> tuple[int, int]:
    """Return what all names of a file have in common."""
    file = path.stat()
    return file.st_dev, file.st_ino


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _model(repository: str, tag: str) -> str:
    """Return a model's name as people write it."""
    try:
        return names.parse(f"{repository}:{tag}").short
    except ValueError:  # nothing of ours
        return f"{repository}:{tag}"
