"""Slots that fit together in one order alone: on a card that they nearly fill, a load may push another one out.

Three of 54, 17 and 7 GB fit on 80 GB, the largest first: each takes no more than four fifths of what others leave.
The engine ends those first whose weights' digest comes first.
"""

from __future__ import annotations

import pytest

from ollama_slots.core.placing import Card, Rule, Taken, fit, in_order
from ollama_slots.core.settings import Settings
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import holds, memory, pulled, weights
from tests.unit.world import GB

LARGE, MIDDLE, SMALL = sorted((f"m{it}:1b" for it in range(3)), key=weights)
SIZES = {LARGE: 54, MIDDLE: 17, SMALL: 7}


def crowded(host: DirectoryHost, *models: str) -> Settings:
    """A host whose slots one to three hold these; nothing is in memory."""
    host.engine.runners.memory, host.engine.runners.most = 80 * GB, 4
    (host.root / "driver").write_text("80000, 80000\n")
    (host.root / "log").write_text('msg="inference compute" library=CUDA total="80 GiB" available="74.5 GiB"\n')
    started = host.root / host.paths["started"].lstrip("/")
    started.parent.mkdir(parents=True, exist_ok=True)
    started.symlink_to("1234")
    settings = declared(*models, load_seconds=20, api_seconds=1, watch_seconds=1)
    for name, model in zip(("one", "two", "three"), models, strict=True):
        host.engine.publish(model, size=SIZES[model] * GB)
        holds(host, name, model, loaded=False)
    host.install_warm_up(settings)
    return settings


def hot(host: DirectoryHost) -> set[str]:
    return {it for it in SIZES if weights(it) in memory(host)}


def test_they_fit_in_their_order_alone() -> None:
    sizes = [Taken(it * GB, it * GB) for it in SIZES.values()]
    assert fit(sizes, [Card(80 * GB)], Rule())
    assert not fit(sizes[::-1], [Card(80 * GB)], Rule())


@pytest.mark.parametrize("models", [(SMALL, MIDDLE, LARGE), (LARGE, MIDDLE, SMALL), (MIDDLE, LARGE, SMALL)])
def test_a_deploy_that_loaded_them_in_another_order_ends_with_all_of_them(
    host: DirectoryHost, models: tuple[str, ...]
) -> None:
    for model in models:
        host.engine.publish(model, size=SIZES[model] * GB)
        pulled(host, model)
    host.engine.runners.memory, host.engine.runners.most = 80 * GB, 4
    host.deploy(declared(*models, load_seconds=20, api_seconds=1))
    assert hot(host) != set(SIZES) or models[0] == LARGE
    warmed = host.run("warm", url=host.engine.url, keep_alive=-1, load_seconds=20, lock_seconds=1, gpu="yes")
    assert (warmed.code, hot(host)) == (0, set(SIZES)), warmed.err


@pytest.mark.parametrize("models", [(SMALL, LARGE, MIDDLE), (SMALL, MIDDLE, LARGE)])
@pytest.mark.parametrize("left", ["", SMALL, MIDDLE])
def test_the_watch_loads_them_so_that_all_stay(host: DirectoryHost, models: tuple[str, ...], left: str) -> None:
    """All were ended, as the engine does it when one ran out of memory; or all but one, which is in the way."""
    settings = crowded(host, *models)
    assert host.warm_up().code == 0
    host.watch(settings)
    for it in SIZES:
        if it != left:
            host.engine.runners.evict(weights(it))
    host.watch(settings)
    host.watch(settings, "heal")
    assert hot(host) == set(SIZES)
    before = list(host.engine.runners.loaded)
    host.watch(settings)
    host.watch(settings, "heal")
    assert (hot(host), host.engine.runners.loaded) == (set(SIZES), before), "and nothing is loaded again"


def test_what_makes_way_is_back_at_once_and_that_is_no_heal_of_its_own(host: DirectoryHost) -> None:
    """Whatever the watch would do for it: one whose keep_alive ends was to go by itself."""
    settings = crowded(host, SMALL, MIDDLE, LARGE)
    assert host.warm_up().code == 0
    host.watch(settings)
    host.engine.runners.evict(weights(MIDDLE))
    host.watch(settings)
    host.engine.runners.loaded.clear()
    said = host.watch(settings, "heal").out
    assert host.engine.runners.loaded == ["two:latest", "one:latest"]
    assert [it for it in said.splitlines() if "loaded again" in it] == [
        it for it in said.splitlines() if "two:" in it
    ]
    assert hot(host) == set(SIZES)


def test_none_makes_way_that_has_no_gpu_memory_or_twice_for_weights_that_are_gone(host: DirectoryHost) -> None:
    settings = crowded(host, SMALL, MIDDLE, LARGE)
    settings = declared(SMALL, MIDDLE, LARGE, "cpu:1b", load_seconds=20, api_seconds=1, watch_seconds=1)
    host.engine.publish("cpu:1b", size=2 * GB)
    holds(host, "four", "cpu:1b", loaded=False, more="PARAMETER num_gpu 0\n")
    assert host.warm_up().code == 0
    host.watch(settings)
    host.engine.runners.evict(weights(MIDDLE))
    host.watch(settings)
    host.engine.runners.loaded.clear()
    host.watch(settings, "heal")
    assert "four:latest" not in host.engine.runners.loaded
    assert hot(host) == set(SIZES)
    (host.store / f"blobs/sha256-{weights(MIDDLE)}").unlink()
    host.engine.runners.evict(weights(MIDDLE))
    for loads in (["one:latest"], []):
        host.watch(settings)
        host.engine.runners.loaded.clear()
        host.watch(settings, "heal")
        assert (host.engine.runners.loaded, hot(host)) == (loads, {LARGE, SMALL})


def test_a_slot_whose_client_has_a_window_of_its_own_has_no_other_unloaded(host: DirectoryHost) -> None:
    settings = crowded(host, SMALL, MIDDLE, LARGE)
    assert host.warm_up().code == 0
    host.engine.runners.memory = 200 * GB
    before = {it: host.engine.runners.all[weights(it)].pid for it in (SMALL, LARGE)}
    state = host.root / "var/lib/ollama-slots/two.slot"
    state.write_text(state.read_text().replace("context=4096", "context=8192"))
    done = host.run("warm", url=host.engine.url, keep_alive=-1, load_seconds=20, lock_seconds=1, gpu="yes")
    assert done.code == 1
    assert {it: host.engine.runners.all[weights(it)].pid for it in (SMALL, LARGE)} == before
    assert settings.loaded_models


def test_preflight_and_the_warm_up_have_one_order_by_the_weights_on_the_disk() -> None:
    """What they hold may be in another: a cache can be larger than the weights."""
    small = Taken(17 * GB, 17 * GB, file=9 * GB)
    large = Taken(13 * GB, 13 * GB, file=12 * GB)
    assert in_order([small, large]) == [large, small]
    assert not fit(in_order([small, large]), [Card(34 * GB)], Rule())
