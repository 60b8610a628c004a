"""The fake engine's HTTP: answers as Ollama writes them, and what its program asks for."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.host.engine import FakeEngine


class Refusal(Exception):  # noqa: N818 (what it is called in an answer is an error)
    """An answer that is none: its HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def written(content: dict[str, Any]) -> bytes:
    """JSON as Go writes it: without spaces, and with what HTML knows escaped."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    for it in "<>&":
        text = text.replace(it, f"\\u{ord(it):04x}")
    return text.encode()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeEngine

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content: dict[str, Any] | str) -> None:
        body = content.encode() if isinstance(content, str) else written(content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        engine = self.server
        if engine.down:
            return
        if self.path == "/api/version":
            self.answer(200, {"version": engine.version})
        elif self.path == "/api/tags":
            with engine.lock:
                content = engine.tags()
            self.answer(200, content)
        elif self.path == "/api/ps":
            self.answer(200, {"models": engine.runners.ps()})
        else:
            self.answer(404, "404 page not found")

    def do_POST(self) -> None:
        engine, body = self.server, self.body()
        if engine.down:
            return
        if self.path not in ("/api/show", "/api/pull") and engine.dies():
            return
        if self.path.startswith("/create?"):  # by the engine's own program
            name = self.path.partition("?")[2]
            engine.asked.append(f"create {name}")
            self.perform(lambda: engine.create(name, body.decode()))
            return
        asked = json.loads(body)
        if self.path == "/api/pull":
            engine.asked.append(f"pull {asked['model']}")
            self.stream(asked["model"])
        elif self.path == "/api/show":
            self.perform(lambda: engine.show(asked["model"], asked.get("verbose", False)))
        elif self.path == "/api/copy":
            engine.asked.append(f"/api/copy {asked['source']} {asked['destination']}")
            self.perform(lambda: engine.copy(asked["source"], asked["destination"]))
        elif self.path == "/api/embed" and asked["model"] not in engine.silent:
            engine.asked.append(f"embed {asked['model']}")
            engine.requests.append(asked)
            self.perform(lambda: engine.embed(asked))
        elif self.path == "/api/chat" and asked["model"] not in engine.silent:
            engine.asked.append(f"ask {asked['model']}")
            self.perform(lambda: engine.chat(asked))
        elif self.path == "/api/generate" and asked["model"] not in engine.silent:
            what = "unload" if str(asked.get("keep_alive")) == "0" else "ask"
            engine.asked.append(f"{what} {asked['model']}")
            engine.requests.append(asked)
            self.perform(lambda: engine.generate(asked))

    def do_DELETE(self) -> None:
        engine, asked = self.server, json.loads(self.body())
        engine.asked.append(f"delete {asked['model']}")
        self.perform(lambda: engine.delete(asked["model"]))

    def perform(self, what: Any) -> None:
        try:
            with self.server.lock:
                content = what()
        except Refusal as refusal:
            self.answer(refusal.status, {"error": str(refusal)})
        else:
            self.answer(200, content)

    def stream(self, name: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        for line in self.server.pull(name):
            if line is None:
                break
            self.wfile.write(written(line) + b"\n")
