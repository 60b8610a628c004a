"""What has to hold after every step, judged by what the engine, the kernel and the files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.seen import API, Seen, look
from tests.chaos.world import DECLARED, FILES, MEMORY, TRUTH, World
from tests.lab.fleet import SLOTS, until

ONE_TOKEN = '{"model":"%s","prompt":"Hi","stream":false,"options":{"num_predict":1}}'
JUDGED_SECONDS = 60  # for what is on its way out of memory, or of a directory


def check(world: World) -> None:
    """Raises AssertionError with all that does not hold. Leaves every slot asked once."""
    world.settle()
    assert_answers(world)
    world.shaken = False
    wrong: list[str] = []

    def nothing() -> bool:
        seen = look(world.host)
        judged = {
            MEMORY: memory(world, seen),
            FILES: seen.left,
            TRUTH: truth(seen),
            DECLARED: declared(world, seen),
        }
        wrong[:] = [f"{it}: {line}" for it in judged.keys() - world.suspended for line in judged[it]]
        if wrong:
            wrong.append(f"{seen}")
        return not wrong

    try:
        until("nothing is wrong", nothing, JUDGED_SECONDS, every=0.5)
    except AssertionError:
        raise AssertionError("\n".join(wrong)) from None


def assert_answers(world: World) -> None:
    """Each slot that has to answer does: at once, or, where something was just killed, before long."""
    asked = sorted(world.asked)

    def silent() -> list[str]:
        requests = [
            f"curl -sS --max-time 60 -d '{ONE_TOKEN % slot}' {API}/api/generate 2>&1; echo" for slot in asked
        ]
        answers = world.host.run("\n".join(requests), timeout=300).stdout.splitlines()
        pairs = zip(asked, [it for it in answers if it], strict=True)
        return [f"{slot}: {answer}" for slot, answer in pairs if '"done":true' not in answer]

    if not asked:
        return
    first = silent()
    assert world.shaken or not first, f"a slot is lost: {first}"
    if first:
        until("every slot answers", lambda: not silent(), 60, every=1)


def memory(world: World, seen: Seen) -> Iterator[str]:
    """There is one runner for each set of weights that a slot has, for ever and in the GPU, and no other.

    But for weights that another slot was to get next when a run was killed: they are not unloaded in between.
    """
    wanted = {seen.weights(slot) for slot in SLOTS} - {None}
    processes = Counter(weights for weights, _ in seen.processes)
    if processes - Counter(world.on_the_way - wanted) != Counter(wanted):
        yield f"the processes hold {processes}, the slots are made of {wanted}"
    windows = [sorted(it["context_length"] for it in seen.runners), sorted(it for _, it in seen.processes)]
    if windows[0] != windows[1]:
        yield f"/api/ps has the windows {windows[0]}, the processes have {windows[1]}"
    for it in seen.runners:
        if it["size_vram"] != it["size"] or it["expires_at"] < "2200":
            yield f"not wholly in the GPU, or not for ever: {it}"


def truth(seen: Seen) -> Iterator[str]:
    """The state of each slot is what the engine, and the process that runs, say of it; no other slot has one."""
    named = {slot for slot in SLOTS if f"{slot}:latest" in seen.tags}
    if seen.states.keys() != named:
        yield f"states of {sorted(seen.states)}, names of {sorted(named)}"
    windows = dict(seen.processes)
    for slot in named & seen.states.keys():
        state = seen.states[slot]
        sharing = {it["context"] for it in seen.states.values() if it["weights"] == state["weights"]}
        engine = {
            "variant": seen.tags[f"{slot}:latest"],
            "base": seen.tags.get(state["model"], state["base"]),  # a base may be removed by hand
            "weights": seen.weights(slot),
            "modelfile": seen.modelfiles.get(slot),
        }
        for key, value in engine.items():
            if state[key] != value:
                yield f"{slot}: its state says {key} {state[key]}, the engine {value}"
        if str(windows.get(state["weights"])) not in sharing:
            yield f"{slot}: its state says {sharing} tokens, its process {windows.get(state['weights'])}"


def declared(world: World, seen: Seen) -> Iterator[str]:
    """Each slot has the base, the prompt and, in memory, the window that it is to have.

    That it is in memory is for ``memory``: after a stop that Ollama is late with, an answer is no sign of it.
    """
    for number, slot in enumerate(SLOTS, 1):
        base, shown = world.declared(slot), seen.shown.get(slot)
        if not base or not shown:
            if base or shown:
                yield f"{slot}: declared {base}, found {shown and shown['details']}"
            continue
        found = shown["details"]["parent_model"], shown.get("system", "")
        wanted = base, world.data.get(f"slot{number}_system", "")
        if found != wanted:
            yield f"{slot}: declared {wanted}, found {found}"
        sharing = [it for it in SLOTS if world.declared(it) and seen.weights(it) == seen.weights(slot)]
        window = max(int(world.data[f"slot{SLOTS.index(it) + 1}_num_ctx"]) for it in sharing)
        info = shown["model_info"]
        window = min(window, info[f"{info['general.architecture']}.context_length"])
        if (has := dict(seen.processes).get(seen.weights(slot) or "", window)) != window:
            yield f"{slot}: declared {window} tokens, its process has {has}"
