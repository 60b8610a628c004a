"""The fake engine's store: a directory of manifests and blobs, in the layout of a version of Ollama.

Before 0.40 a name is a file in manifests/, written in place; since, a link in manifests-v2/ to a blob.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ollama_slots.core import names

LIST = "application/vnd.ollama.manifest.list.v2+json"
MODEL, PARAMS, SYSTEM, LICENSE = (
    f"application/vnd.ollama.image.{it}" for it in ("model", "params", "system", "license")
)


def sha256(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


@dataclass(frozen=True)
class Model:
    """What a name means: the first of its manifests, where it is a list of several."""

    name: str  # as the store spells it, short
    digest: str  # of the manifest
    weights: str  # of split ones, the first part
    size: int  # bytes of all layers
    layers: tuple[dict[str, Any], ...]
    parent: str = ""  # what it was made from
    more: tuple[str, ...] = ()  # the further parts of split weights
    params: dict[str, Any] = field(default_factory=dict)
    modified: float = 0.0


class Store:
    """A model store.

    + path: the directory
    + version: of Ollama, which decides on the layout
    + links: whether names are links, should it be otherwise than in its version
    """

    def __init__(self, path: Path, version: str, links: bool | None = None) -> None:
        self.path, self.blobs = path, path / "blobs"
        self.links = int(version.split(".")[1]) >= 40 if links is None else links
        self.now = 0  # a clock that goes on with each name that is written: times that no two names share
        for directory in (path / "manifests", self.blobs):
            directory.mkdir(parents=True, exist_ok=True)

    @property
    def trees(self) -> tuple[str, ...]:
        """Where names are looked for, in this order."""
        return ("manifests-v2", "manifests") if self.links else ("manifests",)

    def file(self, name: str, tree: str = "manifests") -> Path:
        """Where a name is, in the case that it was given first."""
        parts = list(names.parse(name))
        if tree == "manifests-v2":
            host = "ollama.com" if parts[0].lower() == names.DEFAULT_HOST else parts[0].replace(":", "%3A")
            parts = [host, *parts[1:]]
        for path in (self.path / tree).glob("*/*/*/*"):
            if str(path.relative_to(self.path / tree)).lower() == "/".join(parts).lower():
                return path
        return self.path / tree / Path(*parts)

    def write(self, name: str, manifest: str) -> None:
        """As create and copy do it."""
        path = self.file(name, self.trees[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.links:
            blob = self.blobs / f"sha256-{sha256(manifest)}"
            blob.write_text(manifest)
            (path.parent / ".manifest-1").symlink_to(os.path.relpath(blob, path.parent))
            (path.parent / ".manifest-1").rename(path)
            self.file(name).unlink(missing_ok=True)
        else:
            path.write_text(manifest)
        self.now += 1
        os.utime(path, (self.now * 60, self.now * 60), follow_symlinks=False)

    def read(self, name: str) -> str | None:
        """The manifest of a name."""
        for tree in self.trees:
            with suppress(OSError):
                return self.file(name, tree).read_text()
        return None

    def remove(self, name: str) -> None:
        """The name goes, and the blobs that nothing else is made of."""
        text = self.read(name)
        for tree in ("manifests-v2", "manifests"):
            self.file(name, tree).unlink(missing_ok=True)
        if text:
            self.prune(text)

    def prune(self, manifest: str) -> None:
        """The layers of a manifest that no name has any more go, but for those that another one has."""
        used = {it["digest"] for text in self.names().values() for part in self.parts(text) for it in layers(part)}
        for part in self.parts(manifest):
            for layer in layers(part):
                if layer["digest"] not in used:
                    self.blob(layer["digest"]).unlink(missing_ok=True)

    def names(self) -> dict[str, str]:
        """The manifest of each name, by its short spelling."""
        found: dict[str, str] = {}
        for tree in self.trees:
            for path in sorted((self.path / tree).glob("*/*/*/*")):
                if path.name[0] == ".":
                    continue
                host, *rest = path.relative_to(self.path / tree).parts
                host = names.DEFAULT_HOST if host == "ollama.com" else host.replace("%3A", ":")
                with suppress(OSError):
                    found.setdefault(names.Name(host, *rest).short, path.read_text())
        return found

    def parts(self, manifest: str) -> list[str]:
        """The manifests that one is of: itself, but for a manifest list."""
        if LIST not in manifest:
            return [manifest]
        texts = []
        for it in json.loads(manifest)["manifests"]:
            with suppress(OSError):
                texts.append(self.blob(it["digest"]).read_text())
        return texts

    def blob(self, digest: str) -> Path:
        return self.blobs / f"sha256-{digest.removeprefix('sha256:')}"

    def keep(self, content: str | bytes) -> dict[str, Any]:
        """The blob of this content, made unless one of its name is there; its digest and size."""
        data = content.encode() if isinstance(content, str) else content
        digest = f"sha256:{sha256(data)}"
        if not self.blob(digest).exists():  # the engine takes what is there for whole
            self.blob(digest).write_bytes(data)
        return {"digest": digest, "size": len(data)}

    def models(self) -> Iterator[Model]:
        """All models that there are, each once for each of its manifests."""
        for name, text in self.names().items():
            for part in self.parts(text):
                with suppress(ValueError, KeyError, StopIteration, TypeError):  # a damaged one is passed over
                    yield self._model(name, part)

    def model(self, name: str) -> Model | None:
        """What a name means, in whatever spelling."""
        text = self.read(name)
        if text is None:
            return None
        file = next(path for tree in self.trees if (path := self.file(name, tree)).exists())
        host, *rest = file.parts[-4:]
        host = names.DEFAULT_HOST if host == "ollama.com" else host.replace("%3A", ":")
        return self._model(names.Name(host, *rest).short, self.parts(text)[0])

    def _model(self, name: str, manifest: str) -> Model:
        content = json.loads(manifest)
        weights, *more = (it for it in content["layers"] if it["mediaType"] == MODEL)
        params = next((it for it in content["layers"] if it["mediaType"] == PARAMS), None)
        path = next(path for tree in self.trees if os.path.lexists(path := self.file(name, tree)))
        return Model(
            name=name,
            digest=sha256(manifest),
            weights=weights["digest"].removeprefix("sha256:"),
            size=sum(it["size"] for it in layers(manifest)),
            layers=tuple(content["layers"]),
            parent=weights.get("from", ""),
            more=tuple(it["digest"].removeprefix("sha256:") for it in more),
            params=json.loads(self.blob(params["digest"]).read_text()) if params else {},
            modified=path.lstat().st_mtime,
        )


def layers(manifest: str) -> list[dict[str, Any]]:
    """All blobs that a manifest names."""
    try:
        content = json.loads(manifest)
        return [*content["layers"], content["config"]]
    except (ValueError, KeyError, TypeError):
        return []
