from dataclasses import replace
from typing import Any

import pytest

from ollama_slots.core.held import held, programs
from ollama_slots.core.residency import fault
from ollama_slots.core.targets import targets
from ollama_slots.operations.models import models
from ollama_slots.operations.warm_up import proof
from tests.unit.declared import declared
from tests.unit.fake import Run, answers
from tests.unit.world import World, deployed

AB = declared("a:1b", "b:1b", None)


def table(world: World) -> list[tuple[str, ...]]:
    found = world.found()
    faults = [(it, fault(it, found, needs_gpu=False)) for it in targets(AB, found)]
    return [it.row for it in held(AB, found, faults, {"two"})]


def test_a_row_says_what_a_slot_holds_and_that_it_is_resident() -> None:
    world = deployed(AB)
    weights = world.tags["a:1b"].weights
    world.runners[weights] = replace(world.runners[weights], size=9_876_543_210, in_gpu=0.5)
    assert table(world) == [
        ("1", "one", "a:1b", "4096", "4.94", "yes"),
        ("2", "two", "b:1b", "4096", "1.00", "yes, not as declared"),
        ("3", "three", "-", "-", "-", "empty"),
    ]


def test_a_slot_that_nobody_declares_and_whose_state_is_gone_is_not_called_empty() -> None:
    world = deployed(declared("a:1b", "b:1b", "c:1b"))
    del world.states["three"]
    lost = ("3", "three", "c:1b", "-", "-", "NO: its state is lost")
    assert table(world)[2] == lost
    del world.files["/etc/ollama/modelfiles/three.Modelfile"]
    assert table(world)[2] == ("3", "three", "-", "-", "-", "unknown: its state is lost, set slot3_model")
    told = programs(held(AB, world.found(), [], set()))[-1]
    assert (told["name"], told["resident"], told["as_declared"]) == ("three", False, False)


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
        ["host", "slot", "name"],
        *(["@fake/warm", number, name] for number, name in [("1", "one"), ("2", "two"), ("3", "three")]),
        *(["@fake/cold", number, name] for number, name in [("1", "one"), ("2", "two"), ("3", "three")]),
    ]
    assert [line[-1] for line in table] == ["resident", "yes", "yes", "empty", "memory", "memory", "empty"]


def shown(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The tables that were shown, each row by its host and last cell."""
    rows = [it.removeprefix("    ") for it in caplog.messages if it.startswith("    ")]
    return [(it.partition(" ")[0].removeprefix("@fake/"), it.rpartition("  ")[2]) for it in rows if "GB" not in it]


FAILS = {"ollama-slots/rotate": {"success": False, "stderr": "no"}}
EARLIER = "NO: failed earlier, see above"


@pytest.mark.parametrize("which", [[models, proof], [models, models, proof]])
def test_a_run_of_which_every_host_fails_ends_with_the_table_all_the_same(
    which: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hosts = {name: answers(World(), AB) | FAILS for name in ("one", "two")}
    assert Run(which, AB, False, True, **hosts).failed == {"one", "two"}
    assert [it for it in shown(caplog) if it[1].startswith("NO")] == [("one", EARLIER), ("two", EARLIER)]
    assert caplog.text.count("--> Slots:") == 1


def test_a_host_that_fails_without_a_report_does_not_keep_the_others_from_their_table(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whichever of them comes last."""
    caplog.set_level("INFO")
    cold, warm = deployed(AB), deployed(AB)
    cold.restart()
    unread = {"== units": {"success": False, "stderr": "no"}}
    hosts = {"cold": answers(cold, AB), "bad": unread, "warm": answers(warm, AB)}
    for order in (["bad", "cold", "warm"], ["cold", "warm", "bad"]):
        caplog.clear()
        assert Run([proof], AB, False, True, **{it: hosts[it] for it in order}).failed == {"bad", "cold"}
        assert caplog.text.count("--> Slots:") == 1
        assert {it for it in shown(caplog) if it[1] != "empty"} == {
            ("bad", EARLIER),
            ("cold", "NO: not in memory"),
            ("warm", "yes"),
        }


def test_a_run_that_shows_no_table_shows_none_where_all_fail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert Run([models], AB, gpu=answers(World(), AB) | FAILS).failed == {"gpu"}
    assert "Slots" not in caplog.text


def test_hosts_that_were_shown_and_fail_thereupon_are_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    worlds = {name: deployed(AB) for name in ("one", "two")}
    for world in worlds.values():
        world.restart()
    hosts = {name: answers(world, AB) for name, world in worlds.items()}
    assert Run([proof], AB, False, True, **hosts).failed == {"one", "two"}
    assert caplog.text.count("--> Slots:") == 1
