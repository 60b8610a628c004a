"""The content of model_selection.json."""

from __future__ import annotations

import json
from typing import Any

from ollama_slots.benchmark.choice import composite, told
from ollama_slots.benchmark.choice.composite import FAMILIES
from ollama_slots.benchmark.choice.decide import Decision
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.core.selection import KEYS, RULES, SLOT_KEYS

VERSION = 1


def text(decision: Decision) -> str:
    """Return the file: the same bytes for the same decision. Slot 4's model is nobody's choice but the user's."""
    content: dict[str, Any] = {"timestamp": decision.when} | dict.fromkeys(KEYS)
    content |= {key: decision.named(slot) for slot, key in SLOT_KEYS.items()}
    content["results"] = {it.model: _result(decision, it) for it in decision.models}
    content["benchmark"] = {
        "version": VERSION,
        "items": {"seed": decision.run.seed, "basis": decision.run.basis},
        "weights": {
            "quality": composite.QUALITY,
            "speed": composite.SPEED,
            "latency": composite.LATENCY,
            **{aspect: by._asdict() for aspect, by in decision.by.items()},
        },
        "choice": {f"slot{slot}": told.choice(decision, slot) for slot in RULES},
        "evidence": decision.kept.model_dump(mode="json"),
        "failed": decision.run.failed,
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _result(decision: Decision, model: Measured) -> dict[str, Any]:
    """Return what was measured of a model. It has no composite of what it was not asked to the end."""
    score = decision.scores[model.weights]
    found: dict[str, Any] = {
        f"{aspect}_composite": getattr(score, aspect)
        for aspect in FAMILIES
        if composite.complete(model, aspect, decision.by[aspect].items)
    }
    return found | {
        "classification": "coding" if score.coding > score.general else "general",
        "tokens_per_sec": model.tokens_per_sec.median,
        "ttft_ms": model.ttft_ms.median,
        "weights": model.weights,
        "digest": model.digest,
        "also_named": list(model.also_named),
        **{aspect: _quality(model, aspect) for aspect in FAMILIES if model.of(FAMILIES[aspect])},
        "speed": {
            "tokens_per_sec": model.tokens_per_sec.model_dump(),
            "ttft_ms": model.ttft_ms.model_dump(),
            "gpu_bytes": {f"slot{slot}": size for slot, size in sorted(model.gpu_bytes.items())},
            **({"at_depth": [it.model_dump() for it in model.at_depth]} if model.at_depth else {}),
        },
    }


def _quality(model: Measured, aspect: str) -> dict[str, Any]:
    answers = model.of(FAMILIES[aspect])
    passed = sum(answers.values())
    low, high = composite.interval(passed, len(answers))
    of = {family: model.answers[family] for family in FAMILIES[aspect] if model.answers.get(family)}
    return {
        "quality": round(passed / len(answers), 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "items": len(answers),
        "tasks": {family: [sum(it.values()), len(it)] for family, it in of.items()},
    }
