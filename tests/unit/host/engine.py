"""A fake engine: Ollama's API as far as the scripts of host/ ask it, over a directory that is its store.

What it does is what Ollama was seen to do, or has in its source. What may go wrong has a knob each.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.unit.host.fake_api import Handler, Refusal
from tests.unit.host.fake_modelfile import parse
from tests.unit.host.fake_runners import BLOCKS, FakeProc, Runners
from tests.unit.host.fake_store import LICENSE, MODEL, PARAMS, SYSTEM, Model, Store, sha256
from tests.unit.host.serving import serving

GB = 10**9
WORDS = 32000  # of the vocabulary of each model


@dataclass(frozen=True)
class Shape:
    """What is known of weights. What lies on the disk is small, whatever it is said to be."""

    trained: int = 131072  # tokens
    sees: bool = False
    embeds: bool = False  # it makes embeddings, and no text
    size: int = GB


class FakeEngine(ThreadingHTTPServer):
    """An engine that listens.

    + store, version, links: as of ``Store``
    + proc: where its runners are processes
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, store: Path, version: str, links: bool | None = None, proc: FakeProc | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.files = version, Store(store, version, links)
        self.runners = Runners(proc or FakeProc(store / f"proc-{version}"), self.files.blobs)
        self.registry: dict[str, tuple[bytes, str]] = {}  # what can be pulled: weights and licence, by name
        self.more: dict[str, list[bytes]] = {}  # the further parts of split weights, by name
        self.shapes: dict[str, Shape] = {}  # by weights
        self.keep_alive: int | str = -1  # OLLAMA_KEEP_ALIVE
        self.down = self.broke = False
        self.lock = threading.RLock()
        self.dies: Callable[[], bool] = lambda: False  # whether who asks dies instead of being answered
        self.asked: list[str] = []  # what changes something
        self.turns = 0
        self.requests: list[dict[str, Any]] = []  # for a model, whole
        # Knobs, by name.
        self.seen_as: Path | None = None  # where its models are for it, if not where they are
        self.refuses: str | None = None  # what a copy is answered with
        self.deaf = False  # a copy is said to be done, and is not
        self.create_fails: str | None = None
        self.fails: dict[str, str] = {}  # with what a load fails
        self.silent: set[str] = set()  # it does not answer at all
        self.pulls: list[str] = []  # how the next pulls end: "cut", or an error
        self.mute: set[str] = set()  # it answers, and has nothing to say: no token, and not done
        self.says: Callable[[dict[str, Any]], dict[str, Any]] | None = None  # what it answers to a prompt
        self.template = "{{ .Prompt }}"  # of each model
        self.shown: set[str] = (
            set()
        )  # manifests that it has read, and answers for whatever becomes of their weights
        self.lists: dict[str, list[Any]] = {}  # of every model, shown where all is asked for
        self.incapable: dict[str, str] = {}  # manifests that it first looked at without their weights, by name
        numbers = tuple(int(it) for it in version.split("."))
        self.remembers = (0, 32, 15) <= numbers <= (0, 34, 0)  # what a name can do, while its manifest is the same

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """It answers, for the time of the ``with``."""
        with serving(self):
            yield
        assert not self.broke, "the fake engine is broken"

    def handle_error(self, request: object, client_address: object) -> None:
        """A test must not go on as if the fake had refused."""
        if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that went
            self.broke = True
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    # What there is.

    def publish(self, name: str, weights: str | None = None, parts: int = 1, **shape: int | bool) -> None:
        """Puts a model into the registry, with the weights of another one if that is named: a text, or several."""
        content = f"weights\n{weights or name}".encode()
        self.more[name] = [content + f"\npart {number}".encode() for number in range(2, parts + 1)]
        self.registry[name] = content, f"the licence of {name}"
        self.shapes[sha256(content)] = Shape(**shape)  # type: ignore[arg-type]

    def shape(self, model: Model) -> Shape:
        return self.shapes.get(model.weights, Shape())

    def model(self, name: str) -> Model:
        found = self.files.model(name)
        if found is None:
            raise Refusal(404, f"model '{name}' not found")
        return found

    def has_weights(self, model: Model) -> bool:
        return all(self.files.blob(it).exists() for it in (model.weights, *model.more))

    def able(self, model: Model) -> bool:
        """Whether a model can generate, as far as the engine knows: versions that remember look at it once."""
        if not self.remembers:
            return self.has_weights(model)
        if self.incapable.get(model.name) == model.digest:
            return False
        self.incapable.pop(model.name, None)
        if model.digest not in self.shown and not self.has_weights(model):
            self.incapable[model.name] = model.digest
            return False
        return True

    def is_damaged(self, model: Model) -> bool:
        return any(sha256(self.files.blob(it).read_bytes()) != it for it in (model.weights, *model.more))

    def context(self, model: Model, options: dict[str, Any]) -> int:
        """The window: asked for, else the model's, capped at what it was trained for; 2048 at least for vision."""
        shape, tokens = self.shape(model), int(options.get("num_ctx") or model.params.get("num_ctx") or 4096)
        return min(max(tokens, 2048) if shape.sees else tokens, shape.trained)

    def forget(self) -> None:
        """It ends: what is in its memory goes."""
        self.runners.clear()
        self.shown.clear()
        self.incapable.clear()

    # What it is asked.

    def tags(self) -> dict[str, Any]:
        rows = []
        for it in self.files.models():
            modified = time.strftime("%Y-%m-%dT%H:%M:%S.123456789+01:00", time.gmtime(it.modified))
            details = {
                "parent_model": it.parent,
                "format": "gguf",
                "families": ["llama"],
                "quantization_level": "Q4",
            }
            rows.append(
                {
                    "name": it.name,
                    "model": it.name,
                    "modified_at": modified,
                    "size": self.shape(it).size,
                    "digest": it.digest,
                    "details": details,
                }
            )
        # Names that were modified in the same second come in any order; the rows of one name keep theirs.
        self.turns += 1
        names = list(dict.fromkeys(row["name"] for row in rows))
        first = self.turns % len(names) if names else 0
        return {"models": [row for it in names[first:] + names[:first] for row in rows if row["name"] == it]}

    def show(self, name: str, verbose: bool = False) -> dict[str, Any]:
        model = self.model(name)
        if model.digest not in self.shown:
            self.able(model)
            if not self.has_weights(model):
                raise Refusal(404, f"model '{name}' not found")
            if self.is_damaged(model):
                raise Refusal(500, "invalid file magic")
        self.shown.add(model.digest)
        shape, blobs = self.shape(model), (self.seen_as or self.files.path) / "blobs"
        params = "".join(f"PARAMETER {key} {value}\n" for key, value in model.params.items())
        pooled = {"llama.pooling_type": 1} if shape.embeds else {}
        able = [] if model.name in self.incapable else ["embedding" if shape.embeds else "completion"]
        return {
            "license": "FROM /no/where/sha256-0\n",
            "modelfile": f"# FROM {model.name}\n\nFROM {blobs}/sha256-{model.weights}\n{params}",
            "template": self.template,
            "details": {"parent_model": model.parent, "format": "gguf", "families": ["llama"]},
            "parameters": "\n".join(f"{key:<30} {value}" for key, value in model.params.items()),
            "model_info": {
                "general.architecture": "llama",
                "llama.block_count": BLOCKS,
                "llama.context_length": shape.trained,
                **pooled,
                **{key: it if verbose else [] for key, it in self.lists.items()},
            },
            "capabilities": [*able, *(["vision"] if shape.sees else [])],
            **(
                {"tensors": [{"name": "token_embd.weight", "type": "Q4_K", "shape": [64, WORDS]}]}
                if verbose
                else {}
            ),
        }

    def generate(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["model"]
        model = self.model(name)
        answer = {"model": name, "created_at": "2026-01-15T10:30:00.1Z", "response": "", "done": True}
        if "prompt" not in asked and str(asked.get("keep_alive")) in ("0", "0s"):
            self.runners.unload(model.weights)
            return answer | {"done_reason": "unload"}
        if not self.able(model) or self.shape(model).embeds:
            raise Refusal(400, f'"{name}" does not support generate')
        self.use(model, asked)
        if name in self.mute:
            return answer | {"done": False}
        if self.says and asked.get("prompt"):
            return answer | self.says(asked)
        tokens = asked.get("options", {}).get("num_predict", 1) if asked.get("prompt") else 0
        said = {"done_reason": "length", "eval_count": tokens, "eval_duration": tokens * 10**7} if tokens else {}
        return answer | (said or {"done_reason": "load"}) | ({"response": 'Hi {"error":"no"}'} if tokens else {})

    def chat(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What generate says to the last message, as a message."""
        plain = {"prompt": asked["messages"][-1]["content"]} if asked.get("messages") else {}
        answer = self.generate(asked | plain)
        message = {"role": "assistant", "content": answer.pop("response")}
        return answer | {"message": message | {it: answer.pop(it) for it in ("thinking",) if it in answer}}

    def embed(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Any model is loaded, without a look at what it can do; what makes text has no embedding."""
        model = self.model(asked["model"])
        self.able(model)
        self.use(model, asked)
        if not asked.get("input") or asked["model"] in self.mute:
            return {"model": asked["model"], "embeddings": []}
        if not self.shape(model).embeds:
            raise Refusal(501, "This server does not support embeddings")
        return {"model": asked["model"], "embeddings": [[-0.0123, 4.5e-05]]}

    def use(self, model: Model, asked: dict[str, Any]) -> None:
        """It is loaded, unless it is, for as long as is asked."""
        if not self.has_weights(model):
            raise Refusal(500, f"unable to load model: {self.files.blob(model.weights)}")
        if asked["model"] in self.fails or self.is_damaged(model):
            raise Refusal(500, self.fails.get(asked["model"], "unable to load model: invalid file magic"))
        seconds = _seconds(asked.get("keep_alive", None if model.weights in self.runners.all else self.keep_alive))
        self.runners.use(model, self.context(model, asked.get("options", {})), self.shape(model).size, seconds)

    def copy(self, source: str, destination: str) -> dict[str, Any]:
        text = self.files.read(source)
        if self.refuses:
            raise Refusal(500, self.refuses)
        if text is None:
            raise Refusal(404, f"model '{source}' not found")
        if not self.deaf:
            self.files.write(destination, text)
        return {}

    def delete(self, name: str) -> dict[str, Any]:
        """The runner is left alone."""
        if self.files.read(name) is None:
            raise Refusal(404, f"model '{name}' not found")
        self.files.remove(name)
        return {}

    def create(self, name: str, modelfile: str) -> dict[str, Any]:
        """``ollama create``: the base's layers under the Modelfile's. The same inputs, the same manifest."""
        if self.create_fails:
            raise Refusal(500, self.create_fails)
        of, parameters, system = parse(modelfile)
        base = self.files.model(of)
        if base is None:
            raise Refusal(500, "pull model manifest: file does not exist")
        before = self.files.read(name)
        made = [it | ({"from": base.name} if it["mediaType"] == MODEL else {}) for it in base.layers]
        made = [it for it in made if it["mediaType"] != PARAMS and not (system and it["mediaType"] == SYSTEM)]
        if system:
            made.append({"mediaType": SYSTEM, **self.files.keep(system)})
        made.append({"mediaType": PARAMS, **self.files.keep(_json(base.params | parameters))})
        self._write(name, made)
        if before and before != self.files.read(name):
            self.files.prune(before)
        return {"status": "success"}

    def pull(self, name: str) -> Iterator[dict[str, Any] | None]:
        """What a pull says, line by line; None: the connection ends."""
        yield {"status": "pulling manifest"}
        if name not in self.registry:
            yield {"error": "pull model manifest: file does not exist"}
            return
        weights, licence = self.registry[name]
        ends = self.pulls.pop(0) if self.pulls else ""
        blob = self.files.blob(sha256(weights))
        partial, part = blob.with_name(f"{blob.name}-partial"), blob.with_name(f"{blob.name}-partial-0")
        if not blob.exists():
            pulling = {
                "status": f"pulling {blob.name[7:19]}",
                "digest": f"sha256:{sha256(weights)}",
                "total": len(weights),
            }
            had = partial.stat().st_blocks and partial.read_bytes().rstrip(b"\0") if partial.exists() else b""
            yield pulling | ({"completed": len(had)} if had else {})
            partial.write_bytes(weights[: len(weights) // 2] if ends else weights)
            with partial.open("r+b") as file:
                file.truncate(len(weights))
            part.write_text(f'{{"N":0,"Offset":0,"Size":{len(weights)},"Completed":{len(weights) // 2}}}')
            yield pulling | {"completed": len(weights) // 2}
            if ends:
                yield None if ends == "cut" else {"error": ends}
                return
            part.unlink()
            partial.rename(blob)
        elif ends:
            yield None if ends == "cut" else {"error": ends}
            return
        more = self.more.get(name, [])
        for part_of in more:
            self.files.keep(part_of)
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        with self.lock:
            before = self.files.read(name)
            self._write(
                name,
                [
                    *(
                        {"mediaType": MODEL, "digest": f"sha256:{sha256(it)}", "size": len(it)}
                        for it in [weights, *more]
                    ),
                    {"mediaType": LICENSE, **self.files.keep(licence)},
                ],
            )
            if before and before != self.files.read(name):
                self.files.prune(before)
        yield {"status": "success"}

    def _write(self, name: str, made: list[dict[str, Any]]) -> None:
        config = {"mediaType": "application/vnd.docker.container.image.v1+json", **self.files.keep(CONFIG)}
        media = "application/vnd.docker.distribution.manifest.v2+json"
        found = self.files.model(name)
        content = {"schemaVersion": 2, "mediaType": media, "config": config, "layers": made}
        self.files.write(found.name if found else name, _json(content))


CONFIG = '{"model_format":"gguf","model_family":"llama"}'


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _seconds(keep_alive: int | str | None) -> float | None:
    """A keep_alive as the API takes it, in seconds; below 0: for ever."""
    if keep_alive is None or isinstance(keep_alive, int):
        return keep_alive
    units = {"h": 3600, "m": 60, "s": 1}
    return float(keep_alive) if keep_alive[-1] not in units else float(keep_alive[:-1]) * units[keep_alive[-1]]


@contextmanager
def fake_engine(store: Path, version: str, links: bool | None = None) -> Iterator[FakeEngine]:
    """An engine without a host, for the time of the ``with``."""
    engine = FakeEngine(store, version, links)
    with engine.serving():
        yield engine
