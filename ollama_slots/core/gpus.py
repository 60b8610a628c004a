"""Model the GPUs of a host: as Ollama found them when it started, and as NVIDIA's driver has them now.

Ollama looks for GPUs once, when it starts (discover/runner.go, v0.34.4), and goes by that: it knows of
CUDA_VISIBLE_DEVICES, of cards that it cannot use, and of those that no nvidia-smi tells of.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Gpu(BaseModel):
    """A device that Ollama found: bytes of memory in all, and those that were free then."""

    model_config = ConfigDict(frozen=True)

    library: str  # CUDA, ROCm, Vulkan, ...; in any case
    total: int
    available: int
    name: str = ""
    integrated: bool = False
    compute: str = ""  # the compute capability of a CUDA device, such as 8.9
    pci: str = ""  # its bus, device and function, where Ollama knows them

    @property
    def flash(self) -> bool:
        """Whether it does flash attention, by Ollama's own rule (ml/device.go, v0.34.4)."""
        if self.library.lower() != "cuda":
            return self.library.lower() in {"rocm", "vulkan", "metal"}
        return does_flash_attention(self.compute)


class Driven(BaseModel):
    """A card as NVIDIA's driver has it now: bytes of memory in all, and free."""

    model_config = ConfigDict(frozen=True)

    pci: str
    total: int
    free: int
    compute: str = ""


def does_flash_attention(compute: str) -> bool:
    """Return whether a card of NVIDIA's does flash attention (ml/device.go, v0.34.4).

    + compute: its compute capability
    """
    major, _, minor = compute.partition(".")
    return major.isdigit() and minor.isdigit() and int(major) >= 6 and (int(major), int(minor)) != (7, 2)
