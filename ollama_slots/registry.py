"""What a registry says of a model, asked from the control machine before any host pulls: digest, sizes, shape."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import requests
from pydantic import BaseModel, NonNegativeInt, StringConstraints, ValidationError

from ollama_slots import names
from ollama_slots.found import Shown
from ollama_slots.published import Answer, Missing, Published, Unknown

ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
WEIGHTS, PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"
SECONDS = (5, 30)  # to connect, and between two bytes
LARGEST_MANIFEST = 4 << 20  # bytes; those of Ollama's own library have some 1,000
HEADS = (16 << 20, 64 << 20)  # bytes of a GGUF to read: the vocabulary is what is large in its head

_one_at_a_time = threading.Lock()


class Layer(BaseModel):
    """A blob of a model: its digest, as in ``sha256:...``, and its size in bytes."""

    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]  # it names a file here
    size: NonNegativeInt
    mediaType: str = ""  # noqa: N815 (the registry's word)


class Manifest(BaseModel):
    """What a model is made of."""

    config: Layer
    layers: list[Layer]

    @property
    def blobs(self) -> dict[str, int]:
        """The size of each blob in bytes, by digest."""
        return {it.digest: it.size for it in (*self.layers, self.config)}


def ask(model: str, insecure: bool, mirror: str | None = None, shape: bool = True) -> Answer:
    """A model by its registry. Asked once a run and model, however many hosts want it.

    + model: its canonical name
    + insecure: the registry speaks plain HTTP, as with ``ollama pull --insecure``
    + mirror: the URL of the one that hosts get it from in place of its registry
    + shape: whether to read the shape; without it the answer costs one small request

    The shape comes from the head of the weights, read by byte range, and is kept by their digest in the user's
    cache directory: the reader takes some seconds for a large vocabulary. Redirects are followed.
    """
    with _one_at_a_time:
        return _ask(names.parse(model).key, insecure, mirror, shape)


@cache
def _ask(key: str, insecure: bool, mirror: str | None, shape: bool) -> Answer:
    name = names.parse(key)
    repository = f"{mirror}/v2/{name.repository}" if mirror else upstream(name, insecure)
    try:
        text = manifest_text(repository, name.tag)
        if text is None:
            return Missing()
        manifest = Manifest.model_validate_json(text)
        weights = next((it for it in manifest.layers if it.mediaType == WEIGHTS), None)
        if weights is None:
            return Unknown("its manifest names no weights")
        info = _shape(f"{repository}/blobs/{weights.digest}", weights) if shape else {}
    except ValidationError:
        return Unknown(f"{mirror or name.host} answered what is no manifest")
    except requests.RequestException as error:
        return Unknown(reason(error))
    return Published(
        digest=hashlib.sha256(text).hexdigest(),
        layers={_hex(digest): size for digest, size in manifest.blobs.items()},
        shown=Shown(
            weights=_hex(weights.digest),
            trained_context=info.get(f"{info.get('general.architecture')}.context_length"),
            sees=any(it.mediaType == PROJECTOR for it in manifest.layers) or any(".vision." in it for it in info),
            model_info=info,
        ),
    )


def upstream(name: names.Name, insecure: bool) -> str:
    """The URL of a model's repository in its own registry."""
    return f"{'http' if insecure else 'https'}://{name.host}/v2/{name.namespace}/{name.model}"


def manifest_text(repository: str, tag: str) -> bytes | None:
    """A manifest as the repository at this URL has it, byte for byte; None where it has no such tag.

    Raises requests.RequestException where it cannot be asked.
    """
    answer = requests.get(f"{repository}/manifests/{tag}", headers={"Accept": ACCEPT}, timeout=SECONDS)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer.content[:LARGEST_MANIFEST]


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def reason(error: requests.RequestException) -> str:
    """Why a registry could not be asked, in words."""
    if error.response is not None:
        return f"it answered {error.response.status_code} {error.response.reason}"
    return type(error).__name__


def _shape(url: str, weights: Layer) -> dict[str, Any]:
    """The figures in the head of a GGUF, as /api/show has them in model_info; nothing where it cannot be read."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache_home / "ollama-slots" / "shapes" / f"{_hex(weights.digest)}.json"
    try:
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass
    for length in HEADS:
        info = read_head(_head(url, min(length, weights.size)), weights.size)
        if info:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as text:
                json.dump(info, text)
            Path(text.name).replace(kept)
            return info
    return {}


def _head(url: str, length: int) -> bytes:
    head = b""
    with requests.get(url, headers={"Range": f"bytes=0-{length - 1}"}, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_content(1 << 20):
            head += chunk
            if len(head) >= length:  # a server may not know ranges, and send it all
                break
    return head[:length]


def read_head(head: bytes, size: int) -> dict[str, Any]:
    """The figures of a GGUF: all but its vocabulary.

    + head: its first bytes
    + size: of the whole, in bytes

    Returns nothing where the bytes are no GGUF, or end before its head does.
    """
    import gguf  # noqa: PLC0415 (it brings numpy, which takes longer to import than a deploy with nothing to do)

    with tempfile.NamedTemporaryFile() as file:
        file.write(head)
        file.truncate(size)  # the reader maps the tensors too; there is nothing in them to read
        file.flush()
        try:
            reader = gguf.GGUFReader(file.name)
        except Exception:  # whatever it stumbles over in bytes that are cut off, or are something else
            return {}
        if reader.data_offset > len(head):
            return {}  # it went on reading where there was nothing
        fields = {
            key: field.contents()
            for key, field in reader.fields.items()
            if not key.startswith(("GGUF.", "tokenizer."))
        }
    return {key: value for key, value in fields.items() if isinstance(value, bool | int | float | str | list)}
