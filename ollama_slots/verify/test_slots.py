"""Test that every slot holds its declared model, as declared, and a slot without one holds nothing."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ollama_slots.core import names
from ollama_slots.core.settings import Slot
from ollama_slots.verify import models
from ollama_slots.verify.look import Look


def held(look: Look, slot: Slot) -> tuple[str, str]:
    """Return what messages call a slot, and its base."""
    base = look.base(slot)
    if base is None:
        pytest.skip("the slot is to hold no model")
    return f"{look.name}, slot {slot.name}", base


def variant_of(look: Look, slot: Slot) -> models.Model:
    variant = look.model(slot.tagged)
    assert variant, f"{look.name}, slot {slot.name}: expected {slot.tagged} with its weights, found none"
    return variant


def window(look: Look, slot: Slot) -> int:
    """Return the slot's own window, or under ``align`` the largest of the slots that share its runner."""
    align = look.settings.shared_base == "align"
    return max(it.num_ctx for it in look.sharing(slot)) if align else slot.num_ctx


def contexts(look: Look, slot: Slot) -> set[int]:
    """Return the windows that the runner may have: under ``allow`` that of whichever slot was asked last."""
    variant = variant_of(look, slot)
    windows = {window(look, it) for it in look.sharing(slot)}
    # The engine caps at what the model was trained for, and gives a vision model 2048 at least.
    return {min(max(it, 2048) if variant.sees else it, variant.trained or it) for it in windows}


def lies_in_gpu(look: Look, slot: Slot) -> bool:
    """Return whether a slot is to lie wholly in GPU memory: its num_gpu may be for fewer layers than it has."""
    variant = variant_of(look, slot)
    layers = variant.parameters.get("num_gpu", (-1,))[0]
    assert isinstance(layers, float | int), (
        f"{look.name}, slot {slot.name}: expected a number as num_gpu, found {layers!r}"
    )
    return layers < 0 or (variant.blocks is not None and layers > variant.blocks)


def either(wanted: Collection[object]) -> str:
    return " or ".join(map(str, wanted))


def installed(look: Look, slot: Slot) -> models.Modelfile:
    path = f"{look.modelfiles}/{slot.name}.Modelfile"
    found = models.read(look.run("cat %s", path))
    assert found.base, f"{look.name}, slot {slot.name}: expected a Modelfile at {path}, found none"
    return found


def test_slot_is_there_only_if_it_holds_a_model(look: Look, slot: Slot) -> None:
    who, base = f"{look.name}, slot {slot.name}", look.base(slot)
    found = [tagged for tag in ("latest", "current", "previous") if look.digest(tagged := f"{slot.name}:{tag}")]
    if base:
        assert slot.tagged in found, f"{who}: expected {slot.tagged}, made from {base}, found none"
    else:
        assert not found, f"{who}: expected nothing, for it holds no model, found {found}"
        assert not look.state(slot), f"{who}: expected nothing, found {look.states}/{slot.name}.slot"


def test_variant_is_made_from_its_base(look: Look, slot: Slot) -> None:
    who, base = held(look, slot)
    variant, model = variant_of(look, slot), look.model(base)
    assert model, f"{who}: expected {base} with its weights, found none"
    assert variant.weights == model.weights, f"{who}: expected {base}'s weights, found {variant.parent}'s"
    assert names.same(variant.parent, base), f"{who}: expected made from {base}, found made from {variant.parent}"


def test_modelfile_says_what_is_declared(look: Look, slot: Slot) -> None:
    who, base = held(look, slot)
    found = installed(look, slot)
    assert names.same(found.base or "none", base), f"{who}: Modelfile: expected FROM {base}, found {found.base}"
    wanted = {key: models.values(value) for key, value in slot.parameters.items()}
    wanted["num_ctx"] = models.values(window(look, slot))
    # A template of the user's own may say more than the data do.
    differing = {key: found.parameters.get(key) for key in wanted if found.parameters.get(key) != wanted[key]}
    assert not differing, f"{who}: Modelfile: expected {wanted}, found {differing}"
    if slot.system:
        assert slot.system.strip() in (found.system or ""), (
            f"{who}: Modelfile: expected the SYSTEM {slot.system!r}, found {found.system!r}"
        )


def test_variant_has_its_window(look: Look, slot: Slot) -> None:
    who, _ = held(look, slot)
    found, wanted = variant_of(look, slot).parameters.get("num_ctx"), window(look, slot)
    assert found == (wanted,), f"{who}: expected num_ctx {wanted}, found {found}"


def test_variant_is_what_its_modelfile_says(look: Look, slot: Slot) -> None:
    who, base = held(look, slot)
    text, variant, model = installed(look, slot), variant_of(look, slot), look.model(base)
    assert model, f"{who}: expected {base} with its weights, found none"
    # What a Modelfile leaves out is the base's.
    system = model.system if text.system is None else text.system
    assert variant.system == system, f"{who}: expected the system prompt {system!r}, found {variant.system!r}"
    wanted = model.parameters | text.parameters
    # The engine gives some families a stop of its own.
    found = {key: it for key, it in variant.parameters.items() if key in wanted or key != "stop"}
    differing = {key: found.get(key) for key in wanted | found if found.get(key) != wanted.get(key)}
    assert not differing, f"{who}: expected the parameters {wanted}, found {differing}"


def test_warm_up_knows_the_slot(look: Look, slot: Slot) -> None:
    # The warm-up at boot goes by the state file: where that is wrong, all is well until the next boot.
    who, base = held(look, slot)
    variant, state = variant_of(look, slot), look.state(slot)
    recorded = state.get("model") or ""
    facts: dict[str, Collection[object]] = {
        "model": [recorded if recorded and names.same(recorded, base) else base],  # case does not count
        "variant": [look.digest(slot.tagged)],
        "weights": variant.weights,
        "context": [str(it) for it in contexts(look, slot)],
        "asks": ["embed" if variant.embeds else None],
    }
    for key, wanted in facts.items():
        found = state.get(key)
        assert found in wanted, f"{who}: {look.states}: expected {key} {either(wanted)}, found {found}"


def test_slot_is_in_memory(look: Look, slot: Slot) -> None:
    who, _ = held(look, slot)
    runner = look.runner(slot)
    assert runner, f"{who}: expected in memory, found there only {[it['name'] for it in look.runners]}"
    assert not look.dead(slot), f"{who}: expected in memory, found it listed, but no process has its weights"
    found, wanted = runner["context_length"], contexts(look, slot)
    assert found in wanted, f"{who}: expected a context of {either(wanted)} tokens, found {found}"
    size, in_gpu = runner["size"], runner.get("size_vram", 0)
    wholly = look.requires_gpu and all(lies_in_gpu(look, it) for it in look.sharing(slot))
    assert not wholly or in_gpu == size, f"{who}: expected {size} bytes in GPU memory, found {in_gpu}"


def test_slot_stays_in_memory(look: Look, slot: Slot) -> None:
    who, _ = held(look, slot)
    if not str(look.settings.keep_alive).startswith("-"):
        pytest.skip("keep_alive has an end")
    runner = look.runner(slot)
    assert runner, f"{who}: expected in memory for ever, found it not in memory"
    # For ever is 292 years from the load on. A client's own keep_alive ends that for all.
    found = runner["expires_at"]
    if found <= "2300" and look.settings.watch == "heal":
        pytest.skip(f"expires at {found}: the watch tells it to stay before it goes")
    assert found > "2300", f"{who}: expected in memory for ever, found it there until {found}"


def test_slot_answers(look: Look, slot: Slot) -> None:
    who, _ = held(look, slot)
    runner = look.runner(slot)
    if runner is None or look.dead(slot) or runner["context_length"] not in contexts(look, slot):
        pytest.skip("not resident as declared: asking would load it, and hide that from the next run")
    seconds, embeds = look.settings.load_seconds, variant_of(look, slot).embeds
    if embeds:
        found = look.api("/api/embed", {"model": slot.tagged, "input": "Hi"}, seconds=seconds)
        assert found.get("embeddings"), f"{who}: expected an embedding, found {found}"
        return
    request = {"model": slot.tagged, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    found = look.api("/api/generate", request, seconds=seconds)
    assert found.get("done"), f"{who}: expected one token, found {found}"


def test_no_rotation_was_cut_off(look: Look) -> None:
    found = look.run("ls %s/.ollama-slots 2>/dev/null || true", look.store)
    assert not found, f"{look.name}: expected no {look.store}/.ollama-slots, a rotation's, found in it {found}"
