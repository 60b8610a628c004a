"""Whatever happened to a host, one deploy brings it to what is declared, and hurts nobody on the way."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.settings import Settings
from tests.unit.declared import NAMES, declared
from tests.unit.world import MODELFILES, Killed, World

BASES = ["a:1b", "b:1b", "c:1b", "twin:1b", "small:1b", "eyes:1b"]
SLOTS = NAMES[:3]
Event = tuple[str, Any]

DECLARED = st.builds(
    lambda models, window, system: declared(*models, slot1_num_ctx=window, slot2_system=system),
    st.tuples(*[st.sampled_from([*BASES, None, "none"])] * 3),
    st.sampled_from([1024, 4096, 8192]),
    st.sampled_from([None, "Be brief.", "Be kind."]),
)
EVENTS = st.one_of(
    st.tuples(st.just("killed deploy"), st.tuples(DECLARED, st.integers(0, 30))),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.sampled_from(["delete base", "move base", "lose weights"]), st.sampled_from(BASES)),
    st.tuples(
        st.sampled_from(["delete variant", "change variant", "lose state", "edit Modelfile", "evict"]),
        st.sampled_from(SLOTS),
    ),
)
History = list[tuple[Settings, list[Event]]]
HISTORY = st.lists(st.tuples(DECLARED, st.lists(EVENTS, max_size=2)), min_size=1, max_size=4)


def host() -> World:
    world = World()
    world.publish("twin:1b", weights="a:1b")
    world.publish("small:1b", trained=2048)
    world.publish("eyes:1b", sees=True)
    return world


def happen(world: World, what: str, where: Any) -> None:
    """Something that people, crashes and disks do to a host between two deploys."""
    if what == "killed deploy":
        wanted, world.lives = where
        with suppress(Killed):
            world.deploy(wanted)
        world.lives = None
    elif what == "restart":
        world.restart()
    elif what == "delete base":
        world.unload(where)
        world.tags.pop(where, None)
    elif what == "move base" and where in world.tags:
        world.publish(where, weights=f"another {where}")
        world.pull(where)
    elif what == "lose weights" and where in world.tags:
        world.lost.add(world.tags[where].weights)
        world.restart()
    elif what == "delete variant":  # as `ollama rm` does
        world.unload(f"{where}:latest")
        world.tags.pop(f"{where}:latest", None)
    elif what == "change variant" and f"{where}:latest" in world.tags and "a:1b" in world.tags:
        world.create(f"{where}:latest", "FROM a:1b\nPARAMETER num_ctx 512\n")
    elif what == "lose state":
        world.states.pop(where, None)
    elif what == "edit Modelfile":
        world.files.pop(f"{MODELFILES}/{where}.Modelfile", None)
    elif what == "evict" and world.runners:
        del world.runners[min(world.runners)]


def serving(world: World, settings: Settings) -> dict[str, str]:
    """The weights that each slot's name answers with."""
    tags = {slot.name: world.tags.get(slot.tagged) for slot in settings.slots}
    return {name: model.weights for name, model in tags.items() if model and model.weights not in world.lost}


def others(weights: dict[str, str], name: str) -> set[str]:
    return {it for other, it in weights.items() if other != name}


def live(world: World, history: History, deploy: Callable[[World, Settings], None]) -> None:
    """Declaration after declaration, and between them what people, crashes and disks do."""
    for wanted, events in history:
        deploy(world, wanted)
        world.warm_up()
        for what, where in events:
            happen(world, what, where)


@given(HISTORY)
def test_one_deploy_ends_where_nothing_is_left_to_do(history: History) -> None:
    def deploy(world: World, wanted: Settings) -> None:
        world.deploy(wanted)  # which takes no step twice
        assert world.plan(wanted) == []

    live(host(), history, deploy)


@given(HISTORY)
def test_after_a_deploy_and_its_warm_up_every_slot_is_as_declared_and_resident(history: History) -> None:
    def deploy(world: World, wanted: Settings) -> None:
        world.deploy(wanted)
        world.warm_up()
        assert world.faults(wanted) == {}

    live(host(), history, deploy)


@given(HISTORY)
def test_no_step_unloads_what_another_slot_serves(history: History) -> None:
    def deploy(world: World, wanted: Settings) -> None:
        while planned := world.plan(wanted):
            before = serving(world, wanted)
            world.unloaded.clear()
            world.apply(planned[0])
            for behalf, weights in world.unloaded:
                assert weights not in others(before, behalf), str(planned[0])

    live(host(), history, deploy)


@given(HISTORY)
def test_on_a_full_host_a_slot_makes_room_itself_where_it_can(history: History) -> None:
    """It holds as many models as there are slots, so the engine would evict whichever it likes."""

    def deploy(world: World, wanted: Settings) -> None:
        while planned := world.plan(wanted):
            before, loaded = serving(world, wanted), set(world.runners)
            world.evicted.clear()
            world.apply(planned[0])
            for behalf, _ in world.evicted:
                own = before.get(behalf)
                assert own not in loaded or own in others(before, behalf), str(planned[0])

    world = host()
    world.most = len(SLOTS)
    live(world, history, deploy)


@given(st.lists(st.tuples(DECLARED, st.none() | st.integers(0, 30)), min_size=1, max_size=4))
def test_nothing_of_ours_stays_in_memory_that_no_slot_uses(history: list[tuple[Settings, int | None]]) -> None:
    """Nor after a deploy that was killed, and then done again."""
    world = host()
    for wanted, lives in history:
        if lives is not None:
            happen(world, "killed deploy", (wanted, lives))
        world.deploy(wanted)
        world.warm_up()
        assert set(world.runners) <= set(serving(world, wanted).values())
