"""A registry of plain values, served by HTTP on this machine: with byte ranges, and as bad as a test wants it."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.unit.host.serving import serving

WEIGHTS = bytes(range(256)) * 4000  # 1,024,000 bytes
CONFIG = b'{"model_format":"gguf"}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Registry(ThreadingHTTPServer):
    """Serves ``files`` by path, and notes what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes | Callable[[], bytes]] = {}
        self.asked: list[str] = []
        self.sent: dict[str, int] = {}  # bytes of a body by path
        self.moved: dict[str, str] = {}  # where a path redirects to
        self.ranges = True
        self.cut: list[int] = []  # after so many bytes the next answers with a blob break off
        self.chunk = 1 << 20  # bytes at once
        self.go_on = threading.Event()  # where it is not set, nothing comes after the first chunk of a blob
        self.go_on.set()

    def publish(self, repository: str, tag: str, *contents: bytes) -> bytes:
        """A model of these blobs, the first its weights; its manifest."""
        kinds = ["model", *["params"] * len(contents)]
        layers = [
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{sha256(it)}",
                "size": len(it),
            }
            for kind, it in zip(kinds, contents, strict=False)
        ]
        config = {"mediaType": "x", "digest": f"sha256:{sha256(CONFIG)}", "size": len(CONFIG)}
        manifest = json.dumps({"schemaVersion": 2, "layers": layers, "config": config}, indent=3).encode()
        for content in (*contents, CONFIG):
            self.files[f"/v2/{repository}/blobs/sha256:{sha256(content)}"] = content
        self.files[f"/v2/{repository}/manifests/{tag}"] = manifest
        return manifest

    def blobs(self) -> list[str]:
        """The blobs that were asked for, one by one."""
        return [path.rpartition(":")[2] for path in self.asked if "/blobs/" in path]


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        registry, path = self.server, self.path
        registry.asked.append(path)
        if path in registry.moved:
            self.send_response(307)
            self.send_header("Location", registry.moved[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = registry.files.get(path)
        if body is None:
            self.send_error(404)
            return
        content = body if isinstance(body, bytes) else body()
        begin = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
        first = int(begin) if registry.ranges else 0
        if first and first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.send(path, content[first:])

    def send(self, path: str, content: bytes) -> None:
        registry = self.server
        end = registry.cut.pop(0) if registry.cut and "/blobs/" in path else len(content)
        for at in range(0, min(end, len(content)), registry.chunk):
            part = content[at : min(at + registry.chunk, end)]
            self.wfile.write(part)
            registry.sent[path] = registry.sent.get(path, 0) + len(part)
            if "/blobs/" in path:
                registry.go_on.wait(20)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # of a client that went
            super().handle()


@contextmanager
def served() -> Iterator[Registry]:
    """A registry for the time of the ``with``."""
    registry = Registry()
    with serving(registry):
        try:
            yield registry
        finally:
            registry.go_on.set()
