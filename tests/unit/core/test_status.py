"""A status tells of all that is not as declared, and of nothing else: what a deploy would do is what it says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from ollama_slots.core import names
from ollama_slots.core import status as drift
from ollama_slots.core.details import Shown
from ollama_slots.core.plan import questions
from ollama_slots.core.published import Missing, Published, Unknown
from ollama_slots.core.residency import doubtful, faults
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.host import render
from tests.unit.core.test_plan_converges import HISTORY, History, host, live
from tests.unit.declared import declared
from tests.unit.world import MODELFILES, World, deployed

AB = declared("a:1b", "b:1b", max_loaded_models=9)


def said(world: World, settings: Settings = AB, **found: Any) -> list[str]:
    """What there is to tell of the slots; ``found`` in place of what the world shows."""
    seen = world.found().model_copy(update=found)
    unsure = drift.unsure(Snapshot(settings, seen), render.modelfile)
    details = world.details(questions(settings, seen)) if unsure else None
    return [str(it) for it in drift.slots(Snapshot(settings, seen, details), render.modelfile)]


def change_by_hand(world: World) -> None:
    world.create("one:latest", "FROM b:1b\nPARAMETER num_ctx 4096\n")


def move_base(world: World) -> None:
    world.publish("a:1b", weights="another a:1b")
    world.pull("a:1b")


def evict(world: World) -> None:
    del world.runners[world.tags["a:1b"].weights]


def lose_weights(world: World) -> None:
    world.lost.add(world.tags["a:1b"].weights)
    evict(world)  # while they are in memory nobody looks for them on the disk: neither does a deploy


def half_in_gpu(world: World) -> None:
    world.gpu = (24000, 20000)
    weights = world.tags["a:1b"].weights
    world.runners[weights] = replace(world.runners[weights], in_gpu=0.5)


def another_window(world: World) -> None:
    weights = world.tags["a:1b"].weights
    world.runners[weights] = replace(world.runners[weights], context=512)


def edit_modelfile(world: World) -> None:
    world.files[f"{MODELFILES}/one.Modelfile"] = "0" * 64


def evict_and_edit(world: World) -> None:
    evict(world)
    edit_modelfile(world)


def wrong_state(world: World) -> None:
    world.states["one"] = world.states["one"].model_copy(update={"weights": "f" * 64})


def cut_off(world: World) -> None:
    world.create("one:current", "FROM b:1b\nPARAMETER num_ctx 512\n")


DAMAGE: dict[str, tuple[Callable[[World], Any], list[str]]] = {
    "nothing": (lambda _: None, []),
    "variant gone": (lambda it: it.tags.pop("one:latest"), ["a:1b at 4096 tokens, found nothing"]),
    "state gone": (lambda it: it.states.pop("one"), ["a state of its variant, found none"]),
    "changed by hand": (change_by_hand, ["one as it was made, {variant}, found one changed by hand, {now}"]),
    "base moved": (move_base, ["made from a:1b as that is now, {base}, found made from {was}"]),
    "base gone": (
        lambda it: it.tags.pop("a:1b"),
        ["made from a:1b that is on the host, found made from {was}"],
    ),
    "weights gone": (
        lose_weights,
        [
            "the weights of a:1b on the disk, found none",
            "resident as declared, found not in memory",
        ],
    ),
    "evicted": (evict, ["resident as declared, found not in memory"]),
    "in main memory": (
        half_in_gpu,
        ["resident as declared, found only 500000000 of its 1000000000 bytes in GPU memory"],
    ),
    "wrong window in memory": (
        another_window,
        ["resident as declared, found context window of 512 tokens, not 4096"],
    ),
    "Modelfile edited": (edit_modelfile, ["one.Modelfile as it was made, found another"]),
    "Modelfile gone": (
        lambda it: it.files.pop(f"{MODELFILES}/one.Modelfile"),
        ["one.Modelfile as it was made, found none"],
    ),
    "state wrong": (
        wrong_state,
        ["weights {weights} in its state, found ffffffffffff"],
    ),
    "rotation cut off": (cut_off, ["no rotation in progress, found an interrupted one"]),
    "two things": (
        evict_and_edit,
        [
            "one.Modelfile as it was made, found another",
            "resident as declared, found not in memory",
        ],
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_slot_that_is_not_as_declared_is_told_of_with_all_that_differs(what: str) -> None:
    world = deployed(AB)
    was, variant = world.tags["a:1b"], world.tags["one:latest"].digest
    damage, lines = DAMAGE[what]
    damage(world)
    digests = {
        "variant": variant[:12],
        "now": world.tags["one:latest"].digest[:12] if "one:latest" in world.tags else "",
        "was": was.digest[:12],
        "base": world.tags["a:1b"].digest[:12] if "a:1b" in world.tags else "",
        "weights": was.weights[:12],
    }
    assert said(world) == [f"slot one: expected {line.format(**digests)}" for line in lines]


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (declared("c:1b", "b:1b"), ["slot one: expected c:1b, found a:1b"]),
        (declared("none", "b:1b"), ["slot one: expected no model, found a:1b"]),
        (
            declared("a:1b", "b:1b", slot1_system="Be brief."),
            ["slot one: expected made from its declared Modelfile, found made from another"],
        ),
        (
            declared("a:1b", "b:1b", slot1_num_ctx=8192),
            [
                "slot one: expected made from its declared Modelfile, found made from another",
                "slot one: expected 8192 tokens, found 4096 tokens",
            ],
        ),
        (
            declared("a:1b", "a:1b", shared_base="error"),
            [
                "shared_base: expected no two slots with the same weights, found that one and two share the "
                "weights of a:1b, and shared_base is error: give them different bases, or set shared_base "
                "to align",
                "slot two: expected a:1b, found b:1b",
            ],
        ),
        (declared(None, None), []),
    ],
)
def test_what_is_declared_anew_is_told_of(wanted: Settings, lines: list[str]) -> None:
    assert said(deployed(AB), wanted) == lines


def test_a_runner_whose_process_is_gone_is_told_of() -> None:
    assert said(deployed(AB), live=frozenset()) == [
        f"slot {name}: expected resident as declared, found its runner has ended" for name in ("one", "two")
    ]


@pytest.mark.parametrize(
    ("keep_alive", "watch", "goes", "told"),
    [
        (-1, "off", False, 2),
        (-1, "report", False, 2),
        (-1, "heal", False, 0),  # which tells it to stay
        (-1, "heal", True, 0),  # or loads it again
        ("24h", "off", False, 0),
        ("24h", "off", True, 0),
    ],
)
def test_a_runner_that_expires_is_told_of_where_it_is_to_stay(
    keep_alive: Any, watch: str, goes: bool, told: int
) -> None:
    own = {"keep_alive": keep_alive, "watch": watch}
    world = deployed(declared("a:1b", "b:1b", **own))
    runners = tuple(
        it.model_copy(update={"expires_at": "2026-01-15T10:35:00Z"}) for it in world.found().runners or ()
    )
    now = datetime(2026, 1, 15, 10, 36 if goes else 34, tzinfo=UTC).timestamp()
    lines = said(world, declared("a:1b", "b:1b", **own), runners=runners, now=now)
    assert len([it for it in lines if "found that it expires at 2026-01-15T10:35:00Z" in it]) == told == len(lines)


def test_what_a_rotation_that_died_left_in_memory_is_told_of() -> None:
    world = deployed(AB)
    world.deploy(declared("c:1b", "b:1b"))
    world.load("one:previous")
    assert said(world, declared("c:1b", "b:1b")) == [
        "one:previous: expected not in memory (no slot uses it), found in memory"
    ]


@pytest.mark.parametrize("silent", ["version", "listed", "runners"])
def test_an_ollama_that_does_not_answer_is_no_pass(silent: str) -> None:
    found = deployed(AB).found().model_copy(update={silent: None})
    assert not drift.unsure(Snapshot(AB, found), render.modelfile)
    assert drift.slots(Snapshot(AB, found), render.modelfile) == []
    assert [str(it) for it in drift.service(AB, found, render.service(AB))][-1] == (
        "Ollama: expected an answer at http://127.0.0.1:11434, found none: its slots are unknown"
    )


def test_a_slot_of_which_nothing_says_what_it_holds_is_told_of() -> None:
    """It is loaded by no warm-up any more, and by no deploy until it is set."""
    world = deployed(declared("a:1b", "b:1b", "c:1b"))
    del world.states["three"], world.files[f"{MODELFILES}/three.Modelfile"]
    lost = "slot three: expected a state that says what it holds, found none: set slot3_model"
    assert lost in said(world, declared("a:1b", "b:1b", None, max_loaded_models=9))


def test_a_model_of_the_users_own_that_has_a_slots_name_is_no_lost_slot() -> None:
    world = deployed(declared("a:1b", "b:1b", max_loaded_models=9))
    world.pull("x:1b")
    world.create("three:latest", "FROM x:1b\nPARAMETER num_ctx 8192\n")
    assert said(world, declared("a:1b", "b:1b", None, max_loaded_models=9)) == []


def test_a_host_without_anything_is_told_of_without_repetition() -> None:
    assert said(World()) == [
        f"slot {name}: expected {model} at 4096 tokens, found nothing"
        for name, model in (("one", "a:1b"), ("two", "b:1b"))
    ]


def judged_by_deploy(world: World, settings: Settings) -> bool:
    """Whether a deploy would find the slots as declared, and the warm-up have nothing to load."""
    found = world.found()
    details = world.details(questions(settings, found)) if doubtful(settings, found) else None
    return not world.plan(settings) and not any(why for _, why in faults(settings, found, details))


@given(HISTORY)
def test_nothing_is_told_where_and_only_where_a_deploy_has_nothing_to_do(history: History) -> None:
    def deploy(world: World, wanted: Settings) -> None:
        assert (not said(world, wanted)) is judged_by_deploy(world, wanted)  # after whatever happened to it
        while planned := world.plan(wanted):
            world.apply(planned[0])
            assert (not said(world, wanted)) is judged_by_deploy(world, wanted)
        world.warm_up()
        assert said(world, wanted) == []

    live(host(), history, deploy)


@pytest.mark.parametrize(
    ("what", "asked"), [("nothing", False), ("evicted", True), ("in main memory", True), ("two things", True)]
)
def test_details_are_asked_only_where_something_may_differ(what: str, asked: bool) -> None:
    world = deployed(AB)
    DAMAGE[what][0](world)
    assert drift.unsure(Snapshot(AB, world.found()), render.modelfile) is asked


def test_a_base_that_moved_in_its_registry_is_a_difference() -> None:
    world = deployed(declared("a:1b", "b:1b"))
    found = world.found()
    same = Published(found.digest("a:1b") or "", {}, Shown(weights="x"))
    other = Published("f" * 64, {}, Shown(weights="x"))
    keys = [names.parse(it).key for it in ("a:1b", "b:1b")]
    [it] = drift.moved(declared("a:1b", "b:1b"), found, {keys[0]: same, keys[1]: other})
    assert (it.what, it.wanted) == ("slot two", "b:1b as its registry has it now, ffffffffffff")
    written = replace(other, written=found.digest("b:1b") or "")
    assert drift.moved(declared("a:1b", "b:1b"), found, {keys[0]: same, keys[1]: written}) == []
    entry = found.entry("b:1b")
    assert entry
    two = entry.model_copy(update={"digest": "e" * 64, "digests": frozenset({"e" * 64, "f" * 64})})
    listed = found.model_copy(update={"listed": {**(found.listed or {}), keys[1]: two}})
    assert drift.moved(declared("b:1b"), listed, {keys[1]: other}) == [], "of a manifest list, one is it"
    for unknown in (Missing(), Unknown("it is away")):
        assert drift.moved(declared("a:1b", "b:1b"), found, dict.fromkeys(keys, unknown)) == []
    assert drift.moved(declared("new:1b"), found, {names.parse("new:1b").key: other}) == []
    [it] = drift.moved(declared("b:1b", model_registry="http://mirror"), found, {keys[1]: other})
    assert "as the mirror http://mirror has it now" in it.wanted
    assert "remove it on the host, and the next deploy takes it" in it.found
