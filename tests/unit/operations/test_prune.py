from typing import Any

import pytest

from ollama_slots.core.settings import Settings
from ollama_slots.operations.prune import prune
from tests.unit import store
from tests.unit.declared import declared
from tests.unit.fake import Asked, Run, answers
from tests.unit.host.seam import marked
from tests.unit.world import World, deployed

TWO = declared("a:1b", "b:1b")
LISTED, PRUNED = declared("a:1b"), declared("a:1b", prune=True)


def responses(world: World, settings: Settings) -> dict[str, Any]:
    return answers(world, settings) | {
        "== manifests": Asked(lambda: store.print_stored(world)),
        "ollama-slots/remove": Asked(lambda: world.apply(store.steps(world, settings)[0])),
    }


def run(world: World, settings: Settings, **more: Any) -> Run:
    return Run([prune], settings, gpu=responses(world, settings) | more)


def test_a_listing_reads_twice_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = deployed(TWO)
    before = dict(world.tags)
    done = run(world, LISTED)
    assert (done.failed, done.changed) == (set(), {"gpu": False})
    assert len(done.commands["gpu"]) == 2
    assert world.tags == before
    assert "total  1000001000  2 can go: --data prune=true removes them" in caplog.text


def test_each_removal_is_one_command_and_after_the_last_nothing_is_left() -> None:
    world = deployed(TWO)
    done = run(world, PRUNED)
    assert (done.failed, done.changed) == (set(), {"gpu": True})
    assert len([it for it in done.commands["gpu"] if "ollama-slots/remove" in it]) == 2
    assert set(world.tags) == {"a:1b", "one:latest", "one:current"}
    again = run(world, PRUNED)
    assert again.changed == {"gpu": False}
    assert len(again.commands["gpu"]) == 2
    assert world.settled(LISTED)


def test_a_dry_run_takes_nothing() -> None:
    world = deployed(TWO)
    assert Run([prune], PRUNED, dry=True, gpu=responses(world, PRUNED)).changed == {"gpu": True}
    assert "b:1b" in world.tags


def test_what_cannot_be_removed_ends_the_run_on_its_host_alone() -> None:
    bad, good = deployed(TWO), deployed(TWO)
    failing = responses(bad, PRUNED) | {"ollama-slots/remove": {"success": False}}
    done = Run([prune], PRUNED, bad=failing, gpu=responses(good, PRUNED))
    assert done.failed == {"bad"}
    assert "ollama-slots/remove" in done.commands["bad"][-1]
    assert "b:1b" not in good.tags


def test_what_is_removed_in_vain_is_not_removed_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    assert run(deployed(TWO), PRUNED, **{"ollama-slots/remove": ""}).failed == {"gpu"}
    assert "remove two: no slot has this name: still needed after it ran; giving up" in caplog.text


@pytest.mark.parametrize("part", ["== units", "== manifests"])
@pytest.mark.parametrize("answer", [{"success": False}, ["nonsense"], []])
def test_a_host_that_cannot_be_read_is_left_alone(part: str, answer: Any) -> None:
    world = deployed(TWO)
    done = run(world, PRUNED, **{part: answer})
    assert done.failed == {"gpu"}
    assert "b:1b" in world.tags


def test_an_api_that_does_not_answer_fails(caplog: pytest.LogCaptureFixture) -> None:
    world = deployed(TWO)
    assert run(world, PRUNED, **{"== units": marked(world.silent())}).failed == {"gpu"}
    assert "Ollama does not answer at http://127.0.0.1:11434" in caplog.text


def test_a_rotation_that_was_cut_off_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    world = deployed(TWO)
    world.create("two:current", "FROM a:1b\nPARAMETER num_ctx 512\n")
    assert run(world, PRUNED).failed == {"gpu"}
    assert "the rotation of two was interrupted: deploy first" in caplog.text
