from typing import Any

import pytest

from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target, aligned, capped, context, known_weights, targets
from tests.unit.declared import declared
from tests.unit.world import World, deployed


def windows(settings: Settings, world: World) -> tuple[dict[str, int], list[str]]:
    """Each slot's window and the notices, as a deploy settles them once it knows the weights."""
    found = world.found()
    wanted = targets(settings, found)
    details = world.details([it.model for it in wanted])
    result, notices = aligned(settings, wanted, known_weights(wanted, found, details))
    return {it.slot.name: it.num_ctx for it in result}, notices


def pulled(*names: str) -> World:
    world = World()
    for name in names:
        world.pull(name)
    return world


def twins() -> World:
    """Two names for the same weights."""
    world = World()
    world.publish("x:16b", weights="x")
    world.publish("x:latest", weights="x")
    for name in ("x:16b", "x:latest", "b:1b"):
        world.pull(name)
    return world


@pytest.mark.parametrize(
    ("one", "two", "differ"),
    [
        ({"num_batch": 1024}, {}, "num_batch"),
        ({"num_thread": 4, "main_gpu": 0}, {"num_thread": "4", "main_gpu": 1}, "main_gpu"),
        ({"use_mmap": False}, {"use_mmap": "false"}, None),
        ({"use_mmap": False, "num_batch": 64}, {"use_mmap": True}, "num_batch and use_mmap"),
        ({"num_gpu": 10}, {}, None),
        ({"num_gpu": 10}, {"num_gpu": -1}, None),
        ({"num_gpu": 10}, {"num_gpu": 0}, "num_gpu"),
        ({"temperature": 0}, {"temperature": 1}, None),
    ],
)
def test_slots_of_one_base_whose_runners_differ_are_told_of(
    one: dict[str, Any], two: dict[str, Any], differ: str | None
) -> None:
    settings = declared("a:1b", "a:1b", slot1_parameters=one, slot2_parameters=two)
    _, notices = windows(settings, pulled("a:1b"))
    assert notices == (
        [
            f"one and two share the weights of a:1b with different {differ}: "
            "each request to the other one reloads the model"
        ]
        if differ
        else []
    )


def test_a_target_is_what_is_declared_else_what_the_slot_has() -> None:
    world = deployed(declared("a:1b", "b:1b", "c:1b"))
    wanted = targets(declared("new:1b", None, "none", None), world.found())
    assert [(it.slot.name, it.model) for it in wanted] == [("one", "new:1b"), ("two", "b:1b")]


@pytest.mark.parametrize("spelling", ["A:1B", "library/a:1b", "registry.ollama.ai/Library/A:1b"])
def test_another_spelling_of_the_same_name_is_no_change(spelling: str) -> None:
    world = deployed(declared("a:1b"))
    assert world.settled(declared(spelling))
    assert world.plan(declared(spelling)) == []


def test_different_weights_keep_their_windows() -> None:
    settings = declared("a:1b", "b:1b", slot2_num_ctx=8192)
    assert windows(settings, pulled("a:1b", "b:1b")) == ({"one": 4096, "two": 8192}, [])


@pytest.mark.parametrize("names", [("a:1b", "a:1b"), ("a:1b", "library/A:1b")])
def test_align_gives_all_slots_of_a_base_the_largest_window(names: tuple[str, str]) -> None:
    settled, [notice] = windows(declared(*names, "b:1b", slot2_num_ctx=8192), pulled("a:1b", "b:1b"))
    assert settled == {"one": 8192, "two": 8192, "three": 4096}
    assert notice.startswith("one and two share the weights of a:1b: ")
    assert notice.endswith("all get the largest context window, 8192 tokens")


def test_align_goes_by_weights_and_not_by_name() -> None:
    settled, [notice] = windows(declared("x:16b", "x", "b:1b", slot1_num_ctx=8192), twins())
    assert settled == {"one": 8192, "two": 8192, "three": 4096}
    assert "one and two share the weights of x:16b" in notice


def test_align_of_three_slots() -> None:
    settings = declared("a:1b", "a:1b", "a:1b", slot2_num_ctx=16384, slot3_num_ctx=8192)
    settled, [notice] = windows(settings, pulled("a:1b"))
    assert set(settled.values()) == {16384}
    assert notice.startswith("one and two and three share")


def test_align_has_nothing_to_say_where_the_windows_are_the_same() -> None:
    assert windows(declared("a:1b", "a:1b"), pulled("a:1b")) == ({"one": 4096, "two": 4096}, [])


def test_align_goes_by_name_before_the_weights_are_known() -> None:
    settled, _ = windows(declared("a:1b", "a:1b", slot2_num_ctx=8192), World())
    assert settled == {"one": 8192, "two": 8192}


@pytest.mark.parametrize("window", [4096, 8192])
def test_error_refuses_shared_weights(window: int) -> None:
    settings = declared("x:16b", "x", slot2_num_ctx=window, shared_base="error")
    with pytest.raises(ValueError, match=r"^one and two share the weights of x:16b.*set shared_base to align$"):
        windows(settings, twins())


def test_error_has_nothing_against_different_weights() -> None:
    assert windows(declared("a:1b", "b:1b", shared_base="error"), pulled("a:1b", "b:1b"))[1] == []


def test_allow_does_as_it_is_told_and_warns() -> None:
    settled, [notice] = windows(declared("x:16b", "x", slot2_num_ctx=8192, shared_base="allow"), twins())
    assert settled == {"one": 4096, "two": 8192}
    assert "each request to the other one reloads the model" in notice


def test_a_host_with_aligned_slots_is_settled() -> None:
    """What one probe tells is enough: the states know the weights."""
    settings = declared("x:16b", "x", slot1_num_ctx=8192)
    world = deployed(settings, twins())
    assert world.settled(settings)
    assert len(world.runners) == 1


def test_weights_are_known_from_the_state_only_while_the_base_is_the_same() -> None:
    world = deployed(declared("a:1b", "b:1b"))
    wanted = targets(declared("a:1b", "c:1b"), world.found())
    assert known_weights(wanted, world.found(), None) == {"one": world.tags["a:1b"].weights}
    world.publish("a:1b", weights="a, the second edition")
    world.pull("a:1b")
    assert known_weights(wanted, world.found(), None) == {}


def target(num_ctx: int) -> Target:
    return Target(declared("x").slots[0], "x:latest", num_ctx)


@pytest.mark.parametrize(
    ("trained", "sees", "num_ctx", "effective"),
    [
        (131072, False, 4096, 4096),
        (8192, False, 8192, 8192),
        (8192, False, 32768, 8192),
        (131072, False, 512, 512),
        (131072, True, 512, 2048),
        (131072, True, 4096, 4096),
        (1024, True, 512, 1024),
    ],
)
def test_the_window_that_the_engine_will_show(trained: int, sees: bool, num_ctx: int, effective: int) -> None:
    world = World()
    world.publish("x:latest", trained=trained, sees=sees)
    world.pull("x:latest")
    assert context(target(num_ctx), world.details(["x:latest"])) == effective


def notices(settings: Settings, world: World, with_details: bool) -> list[str]:
    found = world.found()
    wanted = targets(settings, found)
    return capped(wanted, found, world.details([it.model for it in wanted]) if with_details else None)


@pytest.mark.parametrize("with_details", [True, False])
def test_a_capped_window_is_a_notice_on_every_run(with_details: bool) -> None:
    world = World()
    world.publish("small:1b", trained=2048)
    settings = declared("small:1b", "b:1b")
    deployed(settings, world)
    assert notices(settings, world, with_details) == [
        "slot one: small:1b was trained for 2048 tokens, so its context window is 2048, not 4096"
    ]


@pytest.mark.parametrize("with_details", [True, False])
def test_a_model_to_come_is_not_said_to_be_as_small_as_the_one_that_is_there(with_details: bool) -> None:
    world = World()
    world.publish("small:1b", trained=2048)
    deployed(declared("small:1b"), world)
    assert notices(declared("large:1b"), world, with_details) == []
