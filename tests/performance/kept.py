"""The raw figures of each part: .lab/performance/PART.json, with the machine that they are of."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lab import engine
from lab.cache import digest_of
from tests.lab.fleet import ROOT

KEPT = ROOT / ".lab" / "performance"
# What figures depend on: with other sources the old ones are worth nothing.
_TESTS = ("tests/lab", "tests/performance")
SOURCES = ("deploy.py", "group_data", "lab", "ollama_slots", "tasks", "templates", *_TESTS)
# What only shows the figures.
SHOWN_BY = {"page.py", "plots.py", "performance.md.j2", "requirements.in"}


@cache
def sources() -> str:
    """A digest of all that the figures depend on."""
    files = [path for name in SOURCES for path in (ROOT / name, *(ROOT / name).rglob("*")) if path.is_file()]
    return digest_of(
        engine.wanted(), *sorted(it for it in files if it.suffix != ".pyc" and it.name not in SHOWN_BY)
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on, and of what."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "processor": _processor(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "ollama": engine.wanted(),
        **{name: _version(name) for name in ("pyinfra", "ansible-core")},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((it.partition(":")[2].strip() for it in lines if it.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def load(part: str) -> dict[str, Any] | None:
    """A part's figures, or None where there are none."""
    file = KEPT / f"{part}.json"
    return dict(json.loads(file.read_text())) if file.exists() else None


def unfinished(part: str) -> list[dict[str, Any]]:
    """The rows that an earlier run of the same sources has measured: a run goes on from them."""
    kept = load(part)
    return list(kept["rows"]) if kept and kept["sources"] == sources() else []


def save(part: str, rows: list[dict[str, Any]], **more: Any) -> None:
    """Writes a part's figures, whole or not at all."""
    KEPT.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "sources": sources(), "rows": rows, **more}
    new = KEPT / f".{part}.json"
    new.write_text(json.dumps(content, indent=1))
    new.rename(KEPT / f"{part}.json")
