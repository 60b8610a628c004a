"""Model what a registry says of a model before any host has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ollama_slots.core.details import Shown


@dataclass(frozen=True)
class Published:
    """A model as its registry has it."""

    digest: str  # of the manifest, as /api/tags shows it after a pull
    layers: dict[str, int]  # bytes by sha256; a host that has a layer does not pull it
    shown: Shown  # as /api/show will show it, as far as the head of its weights tells; model_info may be empty
    written: str = ""  # the digest after a pull by an Ollama before 0.19, which writes the manifest anew

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self.layers.values())


@dataclass(frozen=True)
class Missing:
    """The registry answered: it has no such model."""


@dataclass(frozen=True)
class Tensors:
    """The registry has it as safetensors, for MLX: without weights in a file that a runner could be known by."""


@dataclass(frozen=True)
class Unknown:
    """The registry cannot be queried from the control machine, or says what no registry says; ``why`` in words."""

    why: str


Answer = Published | Missing | Tensors | Unknown
Answers = Mapping[str, Answer]  # by a model's canonical key
