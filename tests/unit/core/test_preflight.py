"""What would keep a deploy from ending well, and what cannot be checked."""

from dataclasses import replace
from typing import Any

import pytest

from ollama_slots.core.details import Shown
from ollama_slots.core.preflight import notices, refusals, renamed
from ollama_slots.core.published import Answer, Answers, Missing, Published, Tensors, Unknown
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.host.gpus import LOOKED
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.service import service
from ollama_slots.registry.client import Client
from tests.unit.core.test_gpu_memory import LLAMA
from tests.unit.declared import declared
from tests.unit.deploys import ALL
from tests.unit.fake import Run, answers
from tests.unit.host.seam import marked
from tests.unit.world import GB, OF_THE_CPU, World, deployed, digest, of_start

A, B = "registry.ollama.ai/library/a:1b", "registry.ollama.ai/library/b:1b"
AB = declared("a:1b", "b:1b")


def published(name: str, gigabytes: float = 1, info: dict[str, Any] | None = None) -> Published:
    """As World.publish has it: the weights are known by the name."""
    weights = digest("weights", name)
    shown = Shown(weights=weights, trained_context=131072, model_info=info or {})
    return Published(digest("manifest", name, weights, {}), {weights: int(gigabytes * GB), "t" * 64: 1000}, shown)


def seen(world: World, settings: Settings, said: Answers) -> Snapshot:
    return Snapshot(settings, world.found(), world.details(["a:1b", "b:1b"]), said)


def refused(world: World, settings: Settings, said: Answers) -> list[str]:
    return refusals(seen(world, settings, said))


def test_a_host_that_has_room_is_not_refused() -> None:
    room = World(disk=5 * GB, gpu=(24576, 24000))
    assert refused(room, AB, {A: published("a:1b"), B: published("b:1b")}) == []


def test_a_model_that_its_registry_does_not_have_names_its_slot_and_its_key() -> None:
    [line] = refused(World(), AB, {A: published("a:1b"), B: Missing()})
    assert line == "slot two: expected b:1b, found no such model in its registry: correct slot2_model"


def test_a_model_of_safetensors_is_refused_before_it_is_pulled() -> None:
    [line] = refused(World(), AB, {A: published("a:1b"), B: Tensors()})
    assert line == (
        "slot two: expected b:1b as a GGUF, found safetensors (for MLX) in its registry, whose residency cannot "
        "be proven: choose its GGUF as slot2_model"
    )


@pytest.mark.parametrize(
    ("said", "refuses"), [(Unknown("it is away"), True), (Tensors(), True), (published("b:1b"), False)]
)
def test_a_model_of_safetensors_that_is_there_is_no_obstacle_where_its_registry_has_a_gguf(
    said: Answer, refuses: bool
) -> None:
    snapshot = seen(World(), AB, {A: published("a:1b"), B: said})
    details = snapshot.detailed.model_copy(update={"tensors": frozenset({B})})
    lines = refusals(replace(snapshot, details=details))
    assert [it.partition(",")[0] for it in lines] == ["slot two: expected b:1b as a GGUF"] * refuses
    if refuses and isinstance(said, Unknown):
        assert "found safetensors (for MLX) on the host" in lines[0]


def test_a_model_that_the_mirror_does_not_have_can_be_filled_in() -> None:
    settings = declared("a:1b", "b:1b", model_registry="http://mirror:5080")
    [line] = refused(World(), settings, {A: published("a:1b"), B: Missing()})
    assert line == (
        "slot two: expected b:1b, found no such model in the mirror http://mirror:5080: "
        "fill it with ollama-slots-mirror, or correct slot2_model"
    )


@pytest.mark.parametrize(
    ("gpus", "cards", "data", "told_of"),
    [
        ([of_start(24576)], [], {}, ""),
        ([], [], {}, "is no longer known"),
        ([], ["A fine GPU"], {}, ""),
        ([OF_THE_CPU], [], {}, ""),
        ([OF_THE_CPU, LOOKED], ["A fine GPU"], {}, "nvidia-smi shows 1 GPU, which Ollama does not use"),
        ([OF_THE_CPU], ["A fine GPU"], {}, "whether the slots fit into GPU memory is checked then"),
        ([OF_THE_CPU, LOOKED], ["A fine GPU"], {"require_gpu": False}, ""),
        ([], [], {"require_gpu": False}, ""),
    ],
)
def test_what_is_not_known_of_gpus_is_told(
    gpus: list[str], cards: list[str], data: dict[str, Any], told_of: str
) -> None:
    world = World(gpus=gpus, cards=cards)
    lines = notices(seen(world, declared("a:1b", **data), {}))
    of_gpus = [it for it in lines if "GPU when" in it or "GPU, which" in it or "GPU, of which" in it]
    assert [told_of in it for it in of_gpus] == ([True] if told_of else [])


def test_a_card_that_ollama_may_leave_alone_is_no_reason_to_refuse() -> None:
    """It found no GPU when it was started; its restart tells whether it takes the small one that there is."""
    small: dict[str, Any] = {"gpus": [OF_THE_CPU], "cards": ["A small GPU"], "gpu": (2048, 1900)}
    said: Answers = {A: published("a:1b", 3, LLAMA)}
    assert refused(World(**small), declared("a:1b"), said) == []
    assert refused(World(**small | {"gpus": [OF_THE_CPU, LOOKED]}), declared("a:1b"), said) == []
    [line] = refused(World(**small), declared("a:1b", require_gpu=True), said)
    assert line.startswith("GPU memory: expected ")


def test_more_models_than_ollama_holds_are_refused() -> None:
    """Those of slots that are declared no more count: a warm-up loads them, too."""
    world = deployed(AB)
    for data, expected in (
        (
            {"max_loaded_models": 1},
            "max_loaded_models: expected 2 or more, as many models as the slots have, found 1",
        ),
        ({"max_loaded_models": 2}, ""),
        (
            {"slot2_name": "other", "slot2_model": "c:1b", "max_loaded_models": 2},
            "slots have with two, which no data",
        ),
    ):
        world.publish("c:1b")
        wanted = declared("a:1b", **{"slot2_name": "two", "slot2_num_ctx": 4096, "slot2_model": "b:1b"} | data)
        told = [it for it in refusals(seen(world, wanted, {})) if it.startswith("max_loaded_models")]
        assert [expected in it for it in told] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("model", "refused_for", "noticed"),
    [
        ("b:1b", "", "slot two: found a model two that no deploy has made: it is two:previous from now on"),
        ("none", "slot two: expected no model two, found one that no deploy has made", ""),
        (None, "", ""),
    ],
)
def test_a_model_of_somebody_elses_with_a_slots_name_is_told_of_and_never_removed(
    model: str | None, refused_for: str, noticed: str
) -> None:
    world, settings = deployed(declared("a:1b")), declared("a:1b", model)
    world.pull("b:1b")
    world.tags["two:latest"] = world.tags["a:1b"]
    for lines, expected in (
        (refused(world, settings, {}), refused_for),
        (notices(seen(world, settings, {})), noticed),
    ):
        assert [expected in it for it in lines if "no deploy" in it] == [True] * bool(expected), lines
    deployed(declared("a:1b", "b:1b"), world)
    lost = world.found().model_copy(update={"states": {}})
    cut = world.found().model_copy(update={"states": {}, "modelfiles": {}})  # before it wrote them
    for now in (world.found(), lost, cut):
        again = replace(seen(world, settings, {}), observed=now)
        assert not [it for it in [*refusals(again), *notices(again)] if "no deploy" in it], "one of ours"
    world.tags["two:latest"] = world.tags["a:1b"]  # somebody makes another in its place
    told = [it for it in refused(world, settings, {}) if "no deploy" in it]
    assert len(told) == (model == "none"), "a rotation keeps it, and emptying would not"


def test_a_slot_that_is_declared_no_more_is_told_of() -> None:
    world = deployed(AB)
    other = declared("a:1b", "b:1b", slot2_name="other")
    assert [it for it in notices(seen(world, other, {})) if "declared" in it] == [
        "slot two: is not declared any more, and stays in memory until tasks/prune.py removes it"
    ]
    assert not [it for it in notices(seen(world, AB, {})) if "declared" in it]


@pytest.mark.parametrize(
    ("declares", "gib", "told"),
    [
        (("a:1b", "c:1b"), 24, ""),
        (("a:1b", "c:1b"), 4.5, "without two they would fit: prune (tasks/prune.py)"),
        (("a:1b", "b:1b"), 4.5, ""),  # on the weights that two has
        (("a:1b", "c:1b"), 2.5, "no context windows would fit"),
    ],
)
def test_the_memory_of_a_slot_that_is_declared_no_more_counts_where_it_has_weights_of_its_own(
    declares: tuple[str, str], gib: float, told: str
) -> None:
    world = deployed(AB, World(gpu=(24000, 24000)))
    settings = declared(*declares, slot2_name="other", gpu_memory_gib=gib, require_gpu=True)
    lines = refused(world, settings, {"registry.ollama.ai/library/c:1b": published("c:1b")})
    assert [told in it for it in lines] == [True] * bool(told), lines
    assert not told or "two, which no data declare any more, 1.67)" in lines[0]


@pytest.mark.parametrize(
    ("figures", "told_of"),
    [
        ({"attention.head_count_kv": []}, "how many heads its layers have is not known, so more"),
        ({"pooling_type": 3}, "how many words its vocabulary has is not known, so less"),
    ],
)
def test_figures_that_are_not_known_are_told_of(figures: dict[str, Any], told_of: str) -> None:
    info = {"general.architecture": "llama", **{f"llama.{key}": it for key, it in figures.items()}}
    [line] = notices(seen(World(), declared("a:1b"), {A: published("a:1b", info=info)}))
    assert line.startswith(f"a:1b: {told_of} GPU memory may be foreseen than it takes")


def test_what_is_there_already_may_be_gone_from_its_registry() -> None:
    assert refused(deployed(AB), AB, {}) == []


@pytest.mark.parametrize(
    ("free", "headroom", "fits"),
    [(2.0, 0, False), (2.001, 0, True), (3.0, 1, False), (3.08, 1, True), (0, 0, False), (None, 9, True)],
)
def test_the_disk_has_to_hold_what_is_pulled_and_the_headroom(
    free: float | None, headroom: int, fits: bool
) -> None:
    world = World(disk=None if free is None else int(free * GB) // 1024 * 1024)
    settings = declared("a:1b", "b:1b", disk_headroom_gib=headroom)
    lines = refused(world, settings, {A: published("a:1b"), B: published("b:1b")})
    assert (lines == []) is fits
    assert fits or "expected 2.0 GB for a:1b and b:1b and" in lines[0]


def test_layers_that_are_there_are_not_pulled_and_parts_only_in_part() -> None:
    said = {A: published("a:1b", 4)}
    weights = said[A].shown.weights
    details = World().details([])

    def left(**blobs: int) -> int:
        known = details.model_copy(update={"blobs": blobs or None})
        return Snapshot(AB, World().found(), known, said).bytes_to_pull(["a:1b"])

    assert left() == 4 * GB + 1000
    assert left(**{weights: 4 * GB}) == 1000
    assert left(**{weights: 3 * GB}) == GB + 1000
    assert left(**{weights: 5 * GB}) == 1000  # blocks are a little more than bytes
    assert left(**{"f" * 64: GB}) == 4 * GB + 1000


def test_weights_that_two_models_share_are_pulled_once() -> None:
    twin = Published(digest("twin"), published("a:1b", 4).layers | {"p" * 64: 5}, Shown(weights="x"))
    said: Answers = {A: published("a:1b", 4), B: twin}
    assert seen(World(), AB, said).bytes_to_pull(["a:1b", "b:1b"]) == 4 * GB + 1005


def test_slots_that_do_not_fit_are_named_with_the_windows_that_would() -> None:
    settings = declared("a:1b", "b:1b", slot1_num_ctx=32768, gpu_memory_gib=8, require_gpu=True)
    [line] = refused(World(), settings, {A: published("a:1b", 4, LLAMA), B: published("b:1b", 2, LLAMA)})
    assert line.startswith("GPU memory: expected 13.5 GB (one 10.58, two 2.88")
    assert "found 8.6 GB" in line
    assert "and Ollama loads a model beside others only into four fifths of what is free: " in line
    assert line.endswith("with slot1_num_ctx=3328, slot2_num_ctx=3328 they would fit")


def test_a_slot_beside_which_too_little_is_left_free_is_refused() -> None:
    """Ollama loads it, and has some of its layers computed by the CPU."""
    settings = declared("a:1b", slot1_num_ctx=32768, gpu_memory_gib=10, require_gpu=True)
    [line] = refused(World(), settings, {A: published("a:1b", 4, LLAMA)})
    assert (
        ", found 10.7 GB, and Ollama has layers computed by the CPU unless it leaves 1.1 GB of each free: " in line
    )
    assert line.endswith(" they would fit")


def test_models_that_do_not_fit_with_any_window() -> None:
    settings = declared("a:1b", gpu_memory_gib=3, require_gpu=True)
    [line] = refused(World(), settings, {A: published("a:1b", 4, LLAMA)})
    assert line.endswith("no context windows would fit: choose smaller models")


def test_slots_that_need_no_gpu_are_not_measured_against_it() -> None:
    settings = declared("a:1b", gpu_memory_gib=3, require_gpu=False)
    assert refused(World(), settings, {A: published("a:1b", 4)}) == []


def told(world: World, settings: Settings, said: Answers) -> list[str]:
    return notices(seen(world, settings, said))


def test_what_cannot_be_checked_is_said() -> None:
    said: Answers = {A: Unknown("it answered 500 Internal Server Error"), B: published("b:1b")}
    assert told(World(), declared("a:1b", "b:1b", require_gpu=True), said) == [
        "a:1b: its registry cannot be queried from the control machine (it answered 500 Internal Server Error): "
        "the host's own pull decides",
        "the GPU memory is unknown, so whether the slots fit is not checked: set gpu_memory_gib",
        "b:1b: its architecture is unknown, so only its weights are counted",
    ]


def test_a_host_without_a_gpu_has_nothing_to_be_told() -> None:
    assert told(World(), AB, {A: published("a:1b", 1, LLAMA), B: published("b:1b", 1, LLAMA)}) == []


def test_what_is_foreseen_is_what_is_there_after_the_pulls() -> None:
    world = World()
    now = seen(world, AB, {A: published("a:1b"), B: published("b:1b")})
    assert now.to_pull == ["a:1b", "b:1b"]
    then = now.foreseen
    world.pull("a:1b")
    world.pull("b:1b")
    for name in ("a:1b", "b:1b"):
        assert then.observed.digest(name) == world.found().digest(name)
        assert then.detailed.weights(name) == world.details([name]).weights(name)
    assert then.to_pull == []


def asked(monkeypatch: pytest.MonkeyPatch, **said: Answer) -> None:
    monkeypatch.setattr(Client, "ask", lambda _, model, *__, **___: said[model.partition(":")[0]])


def test_the_mirror_is_asked_where_there_is_one_and_the_host_told_to_fetch_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirrors: list[str | None] = []

    def ask(client: Client, model: str, insecure: bool, mirror: str | None, shape: bool) -> Answer:  # noqa: ARG001 (gather.ask's)
        mirrors.append(mirror)
        return Unknown("it is away") if model == "a:1b" else published("b:1b")

    monkeypatch.setattr(Client, "ask", ask)
    settings, world = declared("a:1b", "b:1b", max_loaded_models=9, model_registry="http://mirror:5080"), World()
    done = Run(ALL, settings, gpu=answers(world, settings))
    assert not done.failed
    assert set(mirrors) == {"http://mirror:5080"}
    line = (
        "a:1b: the mirror http://mirror:5080 cannot be queried from the control machine (it is away): "
        "the host's own pull decides"
    )
    assert line in told(World(), settings, {A: Unknown("it is away")})
    [fetches] = [it for it in done.commands["gpu"] if "ollama-slots/fetch" in it]
    assert fetches.count(r"mirror=http://mirror:5080\nrepository=library/") == 2
    assert not any("ollama-slots/pull" in it for it in done.commands["gpu"])


def test_a_deploy_that_would_fail_ends_before_anything_is_changed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked(monkeypatch, a=published("a:1b"), b=Missing())
    world, other = World(most=3), deployed(AB, World(most=3))
    done = Run(ALL, AB, gpu=answers(world, AB), other=answers(other, AB))
    assert done.failed == {"gpu"}
    assert world.tags == {}
    assert world.most == 3  # not even Ollama was restarted
    assert done.scripts["gpu"] == ["probe"]
    assert "b:1b, found no such model in its registry" in caplog.text
    assert other.faults(AB) == {}


@pytest.mark.parametrize("less", [{"max_loaded_models": 1}, {"slot2_name": "other", "slot2_model": None}])
def test_a_host_with_nothing_else_to_do_is_refused_before_its_ollama_is_restarted(
    ready: World, caplog: pytest.LogCaptureFixture, less: dict[str, Any]
) -> None:
    """Its models are as declared, so that nobody asks what they are made of."""
    settings = declared("a:1b", "b:1b", **{"max_loaded_models": 1, **less})
    done = Run(ALL, settings, gpu=answers(ready, settings))
    assert (done.failed, done.scripts["gpu"]) == ({"gpu"}, ["probe"])
    assert "max_loaded_models: expected 2 or more, as many models as the slots have" in caplog.text


def test_what_the_registry_could_not_tell_is_checked_once_the_host_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked(monkeypatch, a=Unknown("it is away"), b=Unknown("it is away"))
    world, settings = World(gpu=(24000, 24000)), declared("a:1b", "b:1b", gpu_memory_gib=24, max_loaded_models=9)
    world.publish("b:1b", size=43 * GB)
    done = Run(ALL, settings, gpu=answers(world, settings))
    assert done.failed == {"gpu"}
    assert "rotate" not in " ".join(done.scripts["gpu"])
    assert "GPU memory: expected 4" in caplog.text


def test_a_slot_that_is_partly_on_the_cpu_is_looked_into_where_it_must_not_be() -> None:
    world = deployed(AB)
    weights = world.tags["b:1b"].weights
    world.runners[weights] = replace(world.runners[weights], in_gpu=0.5)
    assert world.settled(declared("a:1b", "b:1b", require_gpu=False))
    assert not world.settled(declared("a:1b", "b:1b", require_gpu=True))


def test_a_slot_that_is_renamed_only_in_case_ends_before_anything_is_changed(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Ollama, and the record of the slot, keep the first spelling."""
    before, said = ready.probe(), 'found one: set slot1_name = "one"'
    other = declared("a:1b", "b:1b", max_loaded_models=9, slot1_name="One")
    for which in (preflight, models):
        caplog.clear()
        assert Run([which], other, gpu=answers(ready, other)).failed == {"gpu"}
        assert f"slot One: expected that name in the case that the host has it in, {said}" in caplog.text
    assert ready.probe() == before
    ready.states["One"] = ready.states["one"]
    assert renamed(ready.look(other)) == [], "one that was renamed before this was refused"
    assert renamed(ready.look(declared("a:1b", "b:1b"))) == []


def test_the_models_alone_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, a=published("a:1b"), b=Missing())
    world = World()
    assert Run([models], AB, gpu=answers(world, AB)).failed == {"gpu"}
    assert world.tags == {}


def test_ollama_that_does_not_run_yet_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, a=Missing(), b=Missing())
    silent = marked(World().silent())
    done = Run([preflight], AB, gpu=answers(World(), AB) | {"== units": silent})
    assert done.failed == set()
    assert done.changed == {"gpu": False}


def test_a_dry_run_tells_of_what_comes_after_the_pulls(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    asked(monkeypatch, a=published("a:1b", 4), b=published("b:1b", 2))
    Run([preflight, service, models], AB, dry=True, gpu=answers(World(), AB))
    for line in (
        "pull a:1b, 4000 MB, for slot one",
        "pull b:1b, 2000 MB, for slot two",
        "slot one: a:1b at 4096 tokens, made",
        "slot two: b:1b at 4096 tokens, made",
        "slot one: a:1b holds 4.01 GB of GPU memory at most",
    ):
        assert len([it for it in caplog.messages if line in it]) == 1, line


def test_a_host_as_declared_asks_no_registry(monkeypatch: pytest.MonkeyPatch, ready: World) -> None:
    asked(monkeypatch)  # and falls over whoever asks
    assert Run(ALL, AB, gpu=answers(ready, AB)).failed == set()
