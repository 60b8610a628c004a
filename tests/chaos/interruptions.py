"""What happens in the middle of a deploy, or of a rollback, at a random moment of it."""

from __future__ import annotations

from subprocess import Popen

from tests.chaos.faults import kill_ollama, kill_runner, lose_power
from tests.chaos.step import step
from tests.chaos.steps import change
from tests.chaos.world import DECLARED, DEPLOY, EVERYTHING, MEMORY, PRUNE, ROLLBACK, World
from tests.lab.fleet import SLOTS
from tests.lab.mirroring import rule


def something_new(world: World) -> str:
    """Declares one or two models anew, for a deploy that will not get through; which, in words."""
    return " and ".join(change(world) for _ in range(world.random.randint(1, 2)))


@step(6)
def deploy_killed(world: World) -> str:
    """What it had begun on the host is ended there: all that the next one has to do is what is missing."""
    said = something_new(world)
    when = world.meanwhile(lambda process: process.kill())
    world.breaks([DECLARED])
    world.settle()
    if MEMORY not in world.suspended:
        bases = {it for slot in SLOTS if (it := world.declared(slot))} & world.host.made().keys()
        world.on_the_way |= {it for base in bases if (it := world.host.shown(base)[0])}
    return f"{when}, {said}{world.maybe_heal()}"


@step(4)
def rollback_killed(world: World) -> str:
    before: dict[str, str] = {} if MEMORY in world.suspended else world.host.made()
    there = [it for it in SLOTS if f"{it}:previous" in before]
    # One whose weights are lost is listed, and not shown: nothing is loaded of it.
    older = {slot: it for slot in there if (it := world.host.shown(f"{slot}:previous")[0])}
    when = world.meanwhile(lambda process: process.kill(), ROLLBACK)
    world.breaks([DECLARED])
    world.settle()
    after = world.host.made()
    same = {slot for slot in older if after.get(f"{slot}:latest") == before.get(f"{slot}:latest")}
    world.on_the_way |= {older[slot] for slot in same}
    world.said = False
    return f"{when}{world.maybe_heal()}"


@step(2)
def prune_killed(world: World) -> str:
    when = world.meanwhile(lambda process: process.kill(), PRUNE, "prune=true", "prune_previous=true")
    world.breaks([DECLARED])
    return f"{when}{world.maybe_heal()}"


@step(4)
def ollama_killed_in_a_deploy(world: World) -> str:
    said = something_new(world)
    when = world.meanwhile(lambda _: kill_ollama(world))
    world.breaks(EVERYTHING)
    return f"{when}, {said}{world.maybe_heal()}"


@step(3)
def ollama_killed_in_a_rollback(world: World) -> str:
    when = world.meanwhile(lambda _: kill_ollama(world), ROLLBACK)
    world.breaks(EVERYTHING)
    world.said = False
    return f"{when}{world.maybe_heal()}"


@step(3)
def runner_killed_in_a_deploy(world: World) -> str:
    said = something_new(world)
    when = world.meanwhile(lambda _: kill_runner(world))
    world.breaks(EVERYTHING)
    return f"{when}, {said}{world.maybe_heal()}"


@step(2)
def ollama_restarted_in_a_deploy(world: World) -> str:
    said = something_new(world)

    def restart(_: Popen[str]) -> None:
        world.host.run("systemctl restart ollama")
        world.shaken = True

    when = world.meanwhile(restart)
    world.breaks(EVERYTHING)
    return f"{when}, {said}{world.maybe_heal()}"


@step(4)
def power_lost_in_a_deploy(world: World) -> str:
    said = something_new(world)
    when = world.meanwhile(lambda _: lose_power(world))
    world.breaks(EVERYTHING)
    return f"{when}, {said}{world.maybe_heal()}"


@step(2)
def power_lost_in_a_rollback(world: World) -> str:
    when = world.meanwhile(lambda _: lose_power(world), ROLLBACK)
    world.breaks(EVERYTHING)
    world.said = False
    return f"{when}{world.maybe_heal()}"


@step(3)
def registry_out_of_reach_in_a_deploy(world: World) -> str:
    """With a base to be pulled that somebody removed. Only for this host: others may be in a walk of their own."""
    said = something_new(world)
    for base in {it for slot in SLOTS if (it := world.declared(slot))} & world.host.made().keys():
        if base.rpartition("/")[2] in said:
            world.host.api("/api/delete", {"model": base}, "DELETE")
    way = "to 10.79.0.1 ipproto tcp dport 5000 prohibit"
    try:
        when = world.meanwhile(lambda _: rule(world.host, f"add {way}"))
    finally:
        rule(world.host, f"del {way}")
    world.breaks([DECLARED])
    return f"{when}, {said}{world.maybe_heal()}"


@step(2)
def two_deploys_at_once(world: World) -> str:
    said = something_new(world)
    world.said = False
    first = world.start(DEPLOY)
    second = world.task(DEPLOY)
    done = first.ended(300)
    assert (done.code, second.code) == (0, 0), f"both are through: {done.output}"
    world.deploy()
    return said
