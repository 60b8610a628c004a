"""Parse what gpus.sh and details.sh print of GPUs."""

from __future__ import annotations

import re

from ollama_slots.core.gpus import Driven, Gpu

LOOKED = "driver answers"  # as gpus.sh keeps it
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def found(lines: list[str]) -> tuple[Gpu, ...] | None:
    """Parse the lines in which Ollama says what it found: none where it found only the CPU; None: no such line."""
    devices = [device for line in lines if (device := _pairs(line)).get("library")]
    return tuple(_gpu(it) for it in devices if it["library"].lower() != "cpu") if devices else None


def driven(lines: list[str]) -> tuple[Driven, ...]:
    """Parse the cards of NVIDIA's driver: pci.bus_id, memory.total, memory.free (MiB), compute_cap.

    A card whose memory it does not tell, as with MIG, is left out.
    """
    cards = []
    for line in lines:
        fields = [*(it.strip() for it in line.split(",")), ""][:4]
        if len(fields) == 4 and fields[1].isdigit() and fields[2].isdigit():
            pci, total, free, compute = fields
            cards.append(Driven(pci=bus(pci), total=int(total) << 20, free=int(free) << 20, compute=compute))
    return tuple(cards)


def bus(pci: str) -> str:
    """Return a PCI address in one spelling: the driver writes its domain with eight digits, others with four."""
    return re.sub(r"^0+(?=[0-9a-f]{4,}:)", "", pci.strip().lower())


def _pairs(line: str) -> dict[str, str]:
    """Return what a line of Ollama's log says: KEY=VALUE, quoted where the value has a space in it."""
    if 'msg="inference compute"' not in line:
        return {}
    return {
        key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line)
    }


def _gpu(device: dict[str, str]) -> Gpu:
    return Gpu(
        library=device["library"],
        total=_bytes(device.get("total", "")),
        available=_bytes(device.get("available", "")),
        name=device.get("description") or device.get("name", ""),
        integrated=device.get("type") == "iGPU",
        compute=device.get("compute", ""),
        pci=bus(device.get("pci_id", "")),
    )


def _bytes(text: str) -> int:
    """Return the bytes that a text such as "23.4 GiB" stands for, rounded down: the log has one decimal."""
    match = re.fullmatch(r"(\d+(?:\.(\d))?) (B|[KMGT]iB)", text)
    if match is None:
        return 0
    return max(0, int((float(match[1]) - (0.05 if match[2] else 0)) * UNITS[match[3]]))
