from dataclasses import replace

import pytest

from ollama_slots.core.residency import fault
from ollama_slots.core.targets import targets
from ollama_slots.operations.warm_up import proof
from ollama_slots.run.table import Row, rows
from tests.unit.declared import declared
from tests.unit.fake import Run, answers
from tests.unit.world import World, deployed

AB = declared("a:1b", "b:1b", None)


def table(world: World) -> list[Row]:
    found = world.found()
    return rows(AB, found, [(it, fault(it, found, needs_gpu=False)) for it in targets(AB, found)])


def test_a_row_says_what_a_slot_holds_and_that_it_is_resident() -> None:
    world = deployed(AB)
    weights = world.tags["a:1b"].weights
    world.runners[weights] = replace(world.runners[weights], size=9_876_543_210, in_gpu=0.5)
    assert table(world) == [
        ("1", "one", "a:1b", "4096", "4.94", "yes"),
        ("2", "two", "b:1b", "4096", "1.00", "yes"),
        ("3", "three", "-", "-", "-", "empty"),
    ]


def test_a_slot_that_nobody_declares_and_whose_state_is_gone_is_not_called_empty() -> None:
    world = deployed(declared("a:1b", "b:1b", "c:1b"))
    del world.states["three"]
    lost = ("3", "three", "c:1b", "-", "-", "NO: its state is lost")
    assert table(world)[2] == lost
    del world.files["/etc/ollama/modelfiles/three.Modelfile"]
    assert table(world)[2] == ("3", "three", "-", "-", "-", "unknown: its state is lost, set slot3_model")


def test_a_row_says_what_is_wrong() -> None:
    world = deployed(AB)
    world.restart()
    assert table(world)[1] == ("2", "two", "b:1b", "-", "-", "NO: not in memory")


def test_before_anything_is_made_a_row_says_what_is_to_be() -> None:
    assert table(World())[0] == ("1", "one", "a:1b", "-", "-", "NO: not made yet")


def test_one_table_is_printed_for_all_hosts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    warm, cold = deployed(AB), deployed(AB)
    cold.restart()
    assert Run([proof], AB, warm=answers(warm, AB), cold=answers(cold, AB)).failed == {"cold"}
    table = [line.split() for line in caplog.messages if line.startswith("    ")]
    assert [line[:3] for line in table] == [
        ["host", "slot", "variant"],
        *(["@fake/warm", number, name] for number, name in [("1", "one"), ("2", "two"), ("3", "three")]),
        *(["@fake/cold", number, name] for number, name in [("1", "one"), ("2", "two"), ("3", "three")]),
    ]
    assert [line[-1] for line in table] == ["resident", "yes", "yes", "empty", "memory", "memory", "empty"]
