from dataclasses import replace
from typing import Any

import pytest

from ollama_slots.core.residency import fault, residency
from ollama_slots.core.targets import targets
from tests.unit.declared import declared
from tests.unit.world import GB, Loaded, World, deployed

AB = declared("a:1b", "b:1b")


def without_details(world: World, needs_gpu: bool = False) -> dict[str, str]:
    """What one probe alone can tell."""
    found = world.found()
    faults = {it.slot.name: fault(it, found, needs_gpu) for it in targets(AB, found)}
    return {name: why for name, why in faults.items() if why}


def reload(world: World, base: str, **more: Any) -> None:
    """Has the weights of a base in memory in another way than its slot loaded them."""
    weights = world.tags[base].weights
    world.runners[weights] = replace(world.runners[weights], **more)


def test_after_a_deploy_every_slot_is_resident() -> None:
    assert without_details(deployed(AB)) == {}


def test_what_was_never_made_is_not_resident() -> None:
    assert without_details(World()) == {"one": "not made yet", "two": "not made yet"}


def test_another_model_than_the_declared_one() -> None:
    assert without_details(deployed(declared("a:1b", "c:1b"))) == {"two": "holds c:1b, not b:1b"}


def test_the_same_model_in_another_spelling_is_no_fault() -> None:
    world = deployed(AB)
    world.states["two"] = world.states["two"].model_copy(update={"model": "library/B:1B"})
    assert without_details(world) == {}


def test_a_variant_that_is_gone() -> None:
    world = deployed(AB)
    del world.tags["two:latest"]
    assert without_details(world) == {"two": "two is gone"}


def test_a_variant_that_someone_made_over() -> None:
    world = deployed(AB)
    world.create("two:latest", "FROM b:1b\nPARAMETER num_ctx 512\n")
    assert without_details(world) == {"two": "two is not the variant that was made"}


def test_weights_that_are_not_in_memory() -> None:
    world = deployed(AB)
    del world.runners[world.tags["b:1b"].weights]
    assert without_details(world) == {"two": "not in memory"}


def test_a_window_that_a_client_s_option_changed() -> None:
    world = deployed(AB)
    reload(world, "b:1b", context=2048)
    assert without_details(world) == {"two": "context window of 2048 tokens, not 4096"}


@pytest.mark.parametrize("in_gpu", [0.0, 0.5])
def test_weights_that_are_not_wholly_in_gpu_memory(in_gpu: float) -> None:
    world = deployed(AB)
    reload(world, "b:1b", in_gpu=in_gpu)
    why = f"only {int(GB * in_gpu)} of its {GB} bytes in GPU memory"
    assert without_details(world, needs_gpu=True) == {"two": why}
    assert without_details(world, needs_gpu=False) == {}


def test_a_runner_that_the_base_loaded_counts() -> None:
    world = deployed(AB)
    world.runners[world.tags["b:1b"].weights] = Loaded("b:1b", world.tags["b:1b"].digest, 4096, GB)
    assert without_details(world) == {}


def test_a_runner_that_another_slot_of_the_same_weights_loaded_counts() -> None:
    both = declared("a:1b", "a:1b", slot2_system="Be brief.")
    world = deployed(both)
    assert len(world.runners) == 1
    assert world.tags["one:latest"].digest != world.tags["two:latest"].digest
    assert world.settled(both)
    assert world.faults(both) == {}


def test_a_runner_that_a_stranger_of_the_same_weights_loaded_counts_once_details_tell() -> None:
    world = deployed(AB)
    world.create("mine:latest", "FROM b:1b\nPARAMETER num_ctx 4096\nSYSTEM x\n")
    world.runners[world.tags["b:1b"].weights] = Loaded("mine:latest", world.tags["mine:latest"].digest, 4096, GB)
    assert without_details(world) == {"two": "not in memory"}
    assert world.faults(AB) == {}


def test_other_weights_under_a_slots_name_do_not_count() -> None:
    """/api/ps keeps the name of what was loaded, whatever has that name by now."""
    world = deployed(AB)
    reload(world, "b:1b", digest="0" * 64)
    assert without_details(world) == {"two": "not in memory"}


def test_where_other_windows_on_the_same_weights_are_allowed_either_will_do() -> None:
    allowed = declared("a:1b", "a:1b", slot2_num_ctx=8192, shared_base="allow")
    world = deployed(allowed)
    for name in ("one", "two"):
        world.load(f"{name}:latest")
        assert world.faults(allowed) == {}
        assert world.plan(allowed) == []


def test_a_runner_whose_process_died_is_listed_and_is_no_more() -> None:
    found = deployed(AB).found().model_copy(update={"live": frozenset()})
    assert {fault(it, found, needs_gpu=False) for it in targets(AB, found)} == {"its runner has ended"}


@pytest.mark.parametrize(
    ("expires", "why"),
    [("2319-03-05T07:06:08Z", None), ("2026-01-15T10:35:00Z", "expires at 2026-01-15T10:35:00Z")],
)
def test_a_client_s_own_keep_alive(expires: str, why: str | None) -> None:
    found = deployed(AB).found()
    runners = tuple(it.model_copy(update={"expires_at": expires}) for it in found.runners or ())
    found = found.model_copy(update={"runners": runners})
    for target in targets(AB, found):
        assert fault(target, found, needs_gpu=False, for_ever=True) == why
        assert fault(target, found, needs_gpu=False, for_ever=False) is None


@pytest.mark.parametrize("silent", ["listed", "runners"])
def test_an_engine_that_does_not_answer(silent: str) -> None:
    found = deployed(AB).found().model_copy(update={silent: None})
    assert {fault(it, found, needs_gpu=False) for it in targets(AB, found)} == {"Ollama does not answer"}


def test_nothing_is_said_of_the_weights_of_what_someone_made_over() -> None:
    world = deployed(AB)
    world.create("two:latest", "FROM a:1b\nPARAMETER num_ctx 4096\nSYSTEM x\n")
    assert residency("one", world.found())
    assert residency("two", world.found()) is None
    assert residency("three", world.found()) is None


# A runner shows the digest by which it was loaded. Where that manifest is gone, nobody tells its weights any more;
# a deploy must not end so, for neither it nor the warm-up could prove the slot until Ollama is restarted.


def test_a_slot_is_resident_after_its_modelfile_changed_twice() -> None:
    world = deployed(AB)
    for system in ("Be brief.", "Be kind.", "Be exact."):
        wanted = declared("a:1b", "b:1b", slot2_system=system)
        deployed(wanted, world)
        assert world.faults(wanted) == {}


def test_a_slot_is_resident_after_the_slot_that_loaded_its_weights_was_emptied() -> None:
    world = deployed(AB)
    wanted = declared("b:1b", "none", slot1_system="Be brief.")
    deployed(wanted, world)
    assert world.faults(wanted) == {}
