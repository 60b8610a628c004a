"""What an owner does: deploys, changes, rollbacks, clean-ups."""

from __future__ import annotations

from tests.chaos.step import step
from tests.chaos.world import DECLARED, PRUNE, ROLLBACK, STATUS, World
from tests.lab.fleet import SLOTS, model

MODELS = tuple(
    model(it)
    for it in (
        "smollm2-coder:135m",
        "smollm2-chat:135m",
        "smollm2-math:135m",
        "smollm2-spare:135m",
        "smollm2-slow:135m",
        "smollm2:135m",
        "smollm2-twin:135m",  # the same weights as the one before
        "gemma3:270m",
    )
)
WINDOWS = ("2048", "4096", "8192", "16384")  # the last is more than most were trained for


def change(world: World) -> str:
    """Declares another model for a slot; which, in words. It may be one that another slot has."""
    number = world.random.randint(1, 4)
    key = f"slot{number}_model"
    world.data[key] = world.random.choice([it for it in MODELS if it != world.data[key]])
    world.said &= number != 4
    return f"slot {number} to {world.data[key].rpartition('/')[2]}"


@step(4)
def deploy(world: World) -> str:
    world.deploy()
    return "as it is declared"


@step(12)
def rotation(world: World) -> str:
    said = change(world)
    world.deploy()
    return said


@step(3)
def swap(world: World) -> str:
    one, other = (f"slot{it}_model" for it in world.random.sample((1, 2, 3), 2))
    world.data[one], world.data[other] = world.data[other], world.data[one]
    world.deploy()
    return f"{one} and {other}"


@step(6)
def window(world: World) -> str:
    key = f"slot{world.random.randint(1, 4)}_num_ctx"
    world.data[key] = world.random.choice([it for it in WINDOWS if it != world.data[key]])
    world.deploy()
    return f"{key} {world.data[key]}"


@step(4)
def prompt(world: World) -> str:
    key = f"slot{world.random.randint(1, 4)}_system"
    world.data[key] = f"Answer in {world.random.randint(2, 999)} words."
    world.deploy()
    return f"{key}: {world.data[key]}"


@step(5)
def slot_4(world: World) -> str:
    before = world.data["slot4_model"]
    world.data["slot4_model"] = world.random.choice(
        [it for it in (*MODELS, "none", "none", "none") if it != before]
    )
    world.said = False
    world.deploy()
    return world.data["slot4_model"].rpartition("/")[2]


@step(8)
def rollback(world: World) -> str:
    which = world.random.choice(["all", *SLOTS])
    before = world.host.made()
    run = world.task(ROLLBACK, f"rollback={which}")
    after = world.host.made()
    if world.sound:
        refused = run.lines("expected its previous variant") or run.lines("and evict each other")
        assert run.code == 0 or refused, "it is back, or cannot be"
        for slot in SLOTS:
            names = {f"{slot}:latest", f"{slot}:previous"}
            had = {before[it] for it in names & before.keys()}
            assert {after[it] for it in names & after.keys()} == had, f"{slot} has its two variants"
    world.breaks([DECLARED])
    world.said = False
    return which


@step(3)
def listing(world: World) -> str:
    before = world.host.made()
    run = world.task(PRUNE)
    assert not world.sound or run.code == 0, "what can go is listed"
    assert world.host.made() == before, "nothing is removed"
    return "of what can go"


@step(5)
def prune(world: World) -> str:
    previous = world.random.choice([(), ("prune_previous=true",)])
    run = world.task(PRUNE, "prune=true", *previous)
    assert not world.sound or run.code == 0, "what can go, goes"
    return "the previous ones, too" if previous else "all but the previous ones"


@step(4)
def status(world: World) -> str:
    """It tells what the next deploy would do."""
    code = world.task(STATUS).code
    assert world.suspended or code == 0, "it is as declared"
    deploy = world.deploy()
    assert (code == 0) == (deploy.changes == 0), f"status ended with {code}, the deploy after it: {deploy.output}"
    return f"exit code {code}, then a deploy with {deploy.changes} changes"


@step(3)
def a_model_that_cannot_load(world: World) -> str:
    number = world.random.randint(1, 4)
    key, slot = f"slot{number}_model", SLOTS[number - 1]
    before, names = world.data[key], world.host.made()
    world.data[key] = model("unknown-arch:135m")
    world.said &= number != 4
    run = world.task("deploy.py")
    assert run.code == 1, "it is refused"
    assert not world.sound or run.lines("the candidate does not answer"), "and why"
    after = world.host.made()
    assert after.get(f"{slot}:latest") == names.get(f"{slot}:latest"), "the slot is unchanged"
    world.data[key] = before
    return f"for slot {number}"
