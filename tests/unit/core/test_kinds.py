"""What a slot is: which Ollama it is asked of, and whether it is to lie wholly in GPU memory."""

from __future__ import annotations

from typing import Any

import pytest

from ollama_slots.core.gpu_memory import fits, needs
from ollama_slots.core.kinds import embeds, of_runner, wholly_in_gpu
from ollama_slots.core.settings import Settings
from tests.unit.declared import declared
from tests.unit.world import World, deployed


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("FROM a:1b\nPARAMETER num_ctx 4096\n", None),
        ("FROM a:1b\nPARAMETER num_gpu 0\n", 0),
        ("from a:1b\n  parameter  NUM_GPU\t12\n", 12),
        ('FROM a:1b\nPARAMETER num_gpu "7"\nPARAMETER num_gpu 8\n', 7),
        ('FROM a:1b\nPARAMETER num_gpu """5"""', 5),
        ("FROM a:1b\nPARAMETER num_gpu -1\n", -1),
        ('FROM a:1b\nSYSTEM """\nPARAMETER num_gpu 0\n"""\n', None),
        ('FROM a:1b\nPARAMETER stop """a\nPARAMETER num_gpu 0\n"""\nPARAMETER num_gpu 3\n', 3),
        ('FROM a:1b\nLICENSE "one\nPARAMETER num_gpu 0\n"\n', None),
        ("# PARAMETER num_gpu 0\nFROM a:1b\n", None),
        ("FROM a:1b\nPARAMETER num_gpu many\n", None),
    ],
)
def test_what_a_modelfile_says_of_its_layers(text: str, layers: int | None) -> None:
    for name in ("num_gpu", "main_gpu", "num_batch", "num_thread", "draft_num_predict"):
        assert of_runner(text.replace("num_gpu", name).replace("NUM_GPU", name.upper())).get(name) == layers


@pytest.mark.parametrize(
    ("declared", "own", "blocks", "wholly"),
    [
        (None, None, 30, True),
        (None, None, None, True),
        (0, None, 30, False),
        (0, None, None, False),
        (None, 0, 30, False),
        (-1, 0, 30, True),
        (10, None, 30, False),
        (30, None, 30, False),
        (31, None, 30, True),
        (99, 0, 30, True),
        (99, None, None, False),
    ],
)
def test_wholly_in_gpu_memory_is_what_wants_no_less(
    declared: int | None, own: int | None, blocks: int | None, wholly: bool
) -> None:
    assert wholly_in_gpu(declared, own, blocks) is wholly


@pytest.mark.parametrize(
    ("able", "info", "is_one"),
    [
        (["completion"], {}, False),
        (["embedding"], {}, True),
        (["embedding", "completion"], {}, False),
        ([], {"general.architecture": "bert", "bert.pooling_type": 1}, True),
        ([], {"general.architecture": "bert", "qwen3.pooling_type": 1}, False),
        ([], {"general.architecture": "qwen3", "qwen3.pooling_type": 0}, True),
        ([], {}, False),
    ],
)
def test_an_embedding_model_is_one_by_ollamas_own_rule(
    able: list[str], info: dict[str, Any], is_one: bool
) -> None:
    assert embeds(able, info) is is_one


CPU = {"num_gpu": 0}


def on_cpu(**data: Any) -> Settings:
    return declared("a:1b", "b:1b", slot2_parameters=CPU, **data)


def test_a_slot_on_the_cpu_is_well_where_it_is_and_its_state_says_so() -> None:
    world = deployed(on_cpu(require_gpu=True))
    assert (world.states["two"].gpu, world.states["one"].gpu) == ("no", "")
    assert "gpu=no" in world.states["two"].lines()
    assert "gpu" not in world.states["one"].lines()
    assert world.faults(on_cpu(), needs_gpu=True) == {}
    assert world.plan(on_cpu()) == []


def test_a_slot_that_is_not_meant_for_the_cpu_must_not_be_there() -> None:
    settings = declared("a:1b", "b:1b")
    world = deployed(settings)
    weights = world.tags["b:1b"].weights
    world.runners[weights] = world.runners[weights].__class__(**{**vars(world.runners[weights]), "in_gpu": 0.0})
    assert "only 0 of its" in world.faults(settings, needs_gpu=True)["two"]


def test_a_state_of_before_is_written_anew_where_the_slot_is_meant_for_the_cpu() -> None:
    world = deployed(on_cpu())
    world.states["two"] = world.states["two"].model_copy(update={"gpu": ""})
    assert [str(it) for it in world.plan(on_cpu())] == [
        "slot two: b:1b at 4096 tokens, made again: its place in memory changed"
    ]
    world.deploy(on_cpu())
    assert world.states["two"].gpu == "no"


def test_a_slot_is_meant_for_the_cpu_where_its_base_says_so() -> None:
    world = World()
    world.publish("b:1b", on_cpu=True)
    settings = declared("a:1b", "b:1b")
    deployed(settings, world)
    assert world.states["two"].gpu == "no"
    assert world.faults(settings, needs_gpu=True) == {}
    assert world.plan(settings) == []


def test_what_is_meant_for_the_cpu_counts_nothing_in_gpu_memory() -> None:
    world = deployed(on_cpu(), World(gpu=(1000, 100)))
    assert [it.slots[0].slot.name for it in needs(world.look(on_cpu()))] == ["one"]
    assert len(needs(world.look(declared("a:1b", "b:1b")))) == 2
    world.pull("c:1b")
    seen = world.look(declared("a:1b", "b:1b", "c:1b"))
    assert not fits(seen, "c:1b", 4096)
    assert fits(seen, "c:1b", 4096, in_gpu=False)


def test_slots_that_share_weights_lie_where_one_of_them_is_meant_to() -> None:
    world = World()
    world.publish("twin:1b", weights="a:1b")
    settings = declared("a:1b", "twin:1b", slot1_parameters=CPU)
    deployed(settings, world)
    assert world.faults(settings, needs_gpu=True) == {}
    assert needs(world.look(settings)) == []


def test_the_number_of_layers_is_no_key_of_the_data() -> None:
    with pytest.raises(Exception, match="slot1_num_gpu"):
        declared("a:1b", slot1_num_gpu=0)


def test_an_embedding_model_has_its_way_of_being_asked_in_its_state() -> None:
    world = World()
    world.publish("e:1b", embeds=True, trained=2048)
    settings = declared("a:1b", "e:1b")
    deployed(settings, world)
    assert (world.states["two"].asks, world.states["two"].context) == ("embed", 2048)
    assert "asks" not in world.states["one"].lines()
    assert world.plan(settings) == []
    world.states["two"] = world.states["two"].model_copy(update={"asks": "", "modelfile": "0"})
    assert "made again" in str(world.plan(settings)[0])
