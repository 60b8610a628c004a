"""A fake engine: Ollama's API for names, over a directory that is its store, in the layout of a version."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LIST = "application/vnd.ollama.manifest.list.v2+json"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class FakeEngine(ThreadingHTTPServer):
    """Before 0.40 a name is a file in manifests/, written in place; since, a link in manifests-v2/ to a blob."""

    daemon_threads = True

    def __init__(self, store: Path, version: str, links: bool | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store, self.version = store, version
        self.links = int(version.split(".")[1]) >= 40 if links is None else links
        self.asked: list[str] = []  # what changes something
        self.refuses: str | None = None  # what a copy is answered with
        for directory in ("manifests", "blobs"):
            (store / directory).mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def file(self, name: str, tree: str = "manifests") -> Path:
        """Where a name is, in the case that it was given first."""
        model, _, tag = name.partition(":")
        library = self.store / tree / ("registry.ollama.ai" if tree == "manifests" else "ollama.com") / "library"
        for path in library.glob("*/*"):
            if f"{path.parent.name}:{path.name}".lower() == name.lower():
                return path
        return library / model / tag

    def write(self, name: str, manifest: str) -> None:
        """As create and copy do it."""
        if not self.links:
            self.file(name).parent.mkdir(parents=True, exist_ok=True)
            self.file(name).write_text(manifest)
            return
        blob = self.store / "blobs" / f"sha256-{sha256(manifest)}"
        blob.write_text(manifest)
        path = self.file(name, "manifests-v2")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".manifest-1").symlink_to(os.path.relpath(blob, path.parent))
        (path.parent / ".manifest-1").rename(path)
        self.file(name).unlink(missing_ok=True)

    def read(self, name: str) -> str | None:
        for tree in ("manifests-v2", "manifests") if self.links else ("manifests",):
            with suppress(OSError):
                return self.file(name, tree).read_text()
        return None

    def names(self) -> dict[str, str]:
        """The manifest of each name."""
        trees = ("manifests-v2", "manifests") if self.links else ("manifests",)
        paths = [it for tree in trees for it in (self.store / tree).glob("*/library/*/*") if it.name[0] != "."]
        found = {f"{it.parent.name}:{it.name}" for it in paths}
        return {name: text for name in found if (text := self.read(name))}

    def tags(self) -> list[dict[str, Any]]:
        rows = []
        for name, text in self.names().items():
            parts = json.loads(text).get("manifests") if LIST in text else None
            for digest in [it["digest"].removeprefix("sha256:") for it in parts] if parts else [sha256(text)]:
                rows.append(
                    {"name": name, "model": name, "size": 1, "digest": digest, "details": {"runner": "ggml"}}
                )
        return rows


class _Handler(BaseHTTPRequestHandler):
    server: FakeEngine

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server calls it so)
        pass

    def answer(self, code: int, content: dict[str, Any]) -> None:
        body = json.dumps(content, separators=(",", ":")).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        version = {"version": self.server.version}
        self.answer(200, version if self.path == "/api/version" else {"models": self.server.tags()})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(f"{self.path} {' '.join(map(str, asked.values()))}")
        text = self.server.read(asked.get("source", ""))
        if self.server.refuses:
            self.answer(500, {"error": self.server.refuses})
        elif text is None:
            self.answer(404, {"error": "model not found"})
        else:
            self.server.write(asked["destination"], text)
            self.answer(200, {})

    def do_DELETE(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.server.asked.append(f"delete {name}")
        for tree in ("manifests", "manifests-v2"):
            self.server.file(name, tree).unlink(missing_ok=True)
        self.answer(200, {})


@contextmanager
def fake_engine(store: Path, version: str, links: bool | None = None) -> Iterator[FakeEngine]:
    """Serves a fake engine for the time of the ``with``.

    + links: whether names are links, should it be otherwise than in its version
    """
    with FakeEngine(store, version, links) as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield engine
        finally:
            engine.shutdown()
