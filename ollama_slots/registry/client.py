"""Ask registries about models that no host has pulled yet: digest, sizes, architecture."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import requests
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from ollama_slots.core import kinds, names
from ollama_slots.core.details import Shown, figure
from ollama_slots.core.published import Answer, Missing, Published, Tensors, Unknown
from ollama_slots.core.stored import TENSOR, WEIGHTS
from ollama_slots.registry.gguf import read_head

ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
PROJECTOR = "application/vnd.ollama.image.projector"
PLAIN_HTTP = "set pull_insecure, or http:// in model_registry"
SECONDS = (5, 30)  # to connect, and between two bytes
LARGEST_MANIFEST = 4 << 20  # bytes; those of Ollama's own library have some 1,000
HEADS = (16 << 20, 64 << 20)  # bytes of a GGUF to read: the vocabulary is what is large in its head


class Layer(BaseModel):
    """A blob of a model: its digest, as in ``sha256:...``, and its size in bytes."""

    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]  # it names a file here
    size: Annotated[int, Field(ge=0, lt=2**63)]  # to the engine, too, more is no size
    mediaType: str = ""  # noqa: N815 (the registry's word)


class Manifest(BaseModel):
    """What a model is made of."""

    config: Layer
    layers: list[Layer]

    @property
    def blobs(self) -> dict[str, int]:
        """The size of each blob in bytes, by digest."""
        return {it.digest: it.size for it in (*self.layers, self.config)}


class Client:
    """Ask registries, each thing once: however many hosts of a run want a model."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self._answers: dict[tuple[names.Name, bool, str | None, bool], Answer] = {}
        self._one_at_a_time = threading.Lock()

    def ask(self, model: str, insecure: bool, mirror: str | None = None, shape: bool = True) -> Answer:
        """Ask for a model.

        + model: its name as it will be pulled: to a registry case may count; in a mirror all are in lower case
        + insecure: the registry speaks plain HTTP, as with ``ollama pull --insecure``
        + mirror: the URL of the one that hosts get it from in place of its registry
        + shape: whether to read the shape; without it the answer costs one small request

        The shape comes from the head of the weights, read by byte range, and is kept by their digest in the user's
        cache directory: the reader takes some seconds for a large vocabulary. Redirects are followed.
        """
        question = (names.parse(names.parse(model).key if mirror else model), insecure, mirror, shape)
        with self._one_at_a_time:
            if question not in self._answers:
                self._answers[question] = _ask(*question)
            return self._answers[question]


def _ask(name: names.Name, insecure: bool, mirror: str | None, shape: bool) -> Answer:
    repository = f"{mirror}/v2/{name.repository}" if mirror else upstream(name, insecure)
    try:
        text = manifest_text(repository, name.tag)
        if text is None:
            return Missing()
        manifest = Manifest.model_validate_json(text)
        weights = next((it for it in manifest.layers if it.mediaType == WEIGHTS), None)
        if weights is None and any(it.mediaType == TENSOR for it in manifest.layers):
            return Tensors()
        if weights is None:
            return Unknown("its manifest names no weights")
        info = _shape(f"{repository}/blobs/{weights.digest}", weights) if shape else {}
        return Published(
            digest=hashlib.sha256(text).hexdigest(),
            layers={_hex(digest): size for digest, size in manifest.blobs.items()},
            shown=_shown(manifest, weights, info),
            written=hashlib.sha256(_written(json.loads(text))).hexdigest(),
        )
    except ValidationError:
        return Unknown(f"{mirror or name.host} did not answer with a manifest")
    except (OSError, ValueError) as error:  # a certificate bundle or a disk, too; a host's name that is none
        return Unknown(reason(error))


def _shown(manifest: Manifest, weights: Layer, info: dict[str, Any]) -> Shown:
    return Shown(
        weights=_hex(weights.digest),
        trained_context=figure(info, "context_length"),
        embeds=kinds.embeds([], info),
        sees=any(it.mediaType == PROJECTOR for it in manifest.layers) or any(".vision." in it for it in info),
        model_info=info,
    )


def _written(manifest: dict[str, Any]) -> bytes:
    """Return a manifest as an Ollama before 0.19 keeps it: as Go writes structs (server/images.go, v0.18.3)."""

    def layer(it: dict[str, Any]) -> dict[str, Any]:
        always = {"mediaType": it.get("mediaType", ""), "digest": it["digest"], "size": it["size"]}
        return always | ({"from": it["from"]} if it.get("from") else {})

    anew = {
        "schemaVersion": manifest.get("schemaVersion") or 0,
        "mediaType": manifest.get("mediaType") or "",
        "config": layer(manifest["config"]),
        "layers": [layer(it) for it in manifest["layers"]],
    }
    return json.dumps(anew, separators=(",", ":"), ensure_ascii=False).encode()


def upstream(name: names.Name, insecure: bool) -> str:
    """Return the URL of a model's repository in its own registry."""
    return f"{'http' if insecure else 'https'}://{name.host}/v2/{name.namespace}/{name.model}"


def manifest_text(repository: str, tag: str) -> bytes | None:
    """Return a manifest as the repository at this URL has it, byte for byte; None where it has no such tag.

    Raises requests.RequestException where it cannot be asked; OSError where a file that this takes cannot be read,
    as of certificates; ValueError where the host's name is none.
    """
    answer = requests.get(f"{repository}/manifests/{tag}", headers={"Accept": ACCEPT}, timeout=SECONDS)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer.content[:LARGEST_MANIFEST]


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def reason(error: OSError | ValueError, plain_http: str = PLAIN_HTTP) -> str:
    """Return why a registry could not be queried, in words.

    + plain_http: what to do where it speaks that, and no TLS
    """
    if not isinstance(error, requests.RequestException):
        of = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
        return f"{getattr(error, 'strerror', None) or error}{of}"
    if error.response is not None:
        return f"it answered {error.response.status_code} {error.response.reason}"
    name, cause = type(error).__name__, _first(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        its = "where it is right, set REQUESTS_CA_BUNDLE to a file with its authority's"
        return f"{name}: its certificate is not trusted here ({cause.verify_message}): {its}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{name}: where it speaks plain HTTP, {plain_http}"
    why = error if isinstance(error, requests.exceptions.InvalidURL) else getattr(cause, "strerror", None)
    return f"{name}: {why}" if why else name


def _first(error: BaseException) -> BaseException:
    """Return the error that another one, as of a library, was made of."""
    while error.__context__:
        error = error.__context__
    return error


def _shape(url: str, weights: Layer) -> dict[str, Any]:
    """Return the figures in the head of a GGUF, as model_info of /api/show has them; nothing if unreadable."""
    kept = _kept(weights)
    with suppress(OSError, ValueError, TypeError):  # whatever has become of the file
        if kept:
            return dict(json.loads(kept.read_text(encoding="utf-8")))
    for length in HEADS:
        info = read_head(_head(url, min(length, weights.size)), weights.size)
        if info:
            if kept:
                _keep(kept, info)
            return info
    return {}


def _kept(weights: Layer) -> Path | None:
    """Return the file that the figures of these weights are kept in; None where the user has no directory."""
    try:
        cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # there is no HOME, and nobody of this user's number
        return None
    return cache_home / "ollama-slots" / "shapes" / f"{_hex(weights.digest)}.json"


def _keep(kept: Path, info: dict[str, Any]) -> None:
    """Keep figures for the next run, where that is possible: without them, it reads them anew."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as apart:
            text = Path(apart, kept.name)
            text.write_text(json.dumps(info), encoding="utf-8")
            text.replace(kept)


def _head(url: str, length: int) -> bytes:
    head = b""
    with requests.get(url, headers={"Range": f"bytes=0-{length - 1}"}, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_content(1 << 20):
            head += chunk
            if len(head) >= length:  # a server may not know ranges, and send it all
                break
    return head[:length]
