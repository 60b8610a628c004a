"""The watch beside deploys, and beside a user, for longer than ``make test`` has time. ``make watch`` runs it."""

from __future__ import annotations

import os
import statistics
import time
from random import Random

from tests.lab.client import asking, assert_none_failed
from tests.lab.fleet import SLOTS, Host, Project, Run, model, until
from tests.lab.test_watch import HEAL, looked, metrics, moment, said

RUNS = int(os.environ.get("WATCH_RUNS", "200"))
ROUNDS, ROUND_SECONDS = 3, 60
SEED = 1
KEYS = {slot: f"slot{number}_model" for number, slot in enumerate(SLOTS, 1)}
BASES = [model(f"smollm2{it}:135m") for it in ("", "-coder", "-chat", "-math", "-spare", "-slow")]
BASES += [model("gemma3:270m"), model("gemma3-copy:270m")]


def deploy(
    project: Project, held: dict[str, str], *data: str, watch: str = "heal", tasks: str = "deploy.py"
) -> Run:
    """Deploys, or runs another task, with these bases declared and a look of the watch each second."""
    declared = [f"{KEYS[slot]}={base}" for slot, base in held.items()]
    run = project.deploy(*declared, f"watch={watch}", "watch_seconds=1", *data, tasks=tasks)
    assert run.code == 0, run.output
    return run


def test_a_deploy_is_not_disturbed(project: Project, gpu1: Host, figures: list[str]) -> None:
    """Nor is a slot healed into what it was just rotated away from."""
    chance = Random(SEED)
    held = dict(zip(SLOTS, BASES, strict=False))
    deploy(project, held)
    looked(gpu1)
    since, counted, did = moment(gpu1), metrics(gpu1), dict.fromkeys(("rotation", "rollback", "prune"), 0)
    for _ in range(RUNS):
        slot = chance.choice(SLOTS)
        [kind] = chance.choices([*did], weights=(6, 2, 2))
        made = gpu1.made()
        back = {it: gpu1.parent(f"{it}:previous") for it in SLOTS if f"{it}:previous" in made}
        if kind == "rotation":
            # No two slots on the same weights, also after a rollback: they would have to go back together.
            others = {of.get(it) for of in (held, back) for it in SLOTS if it != slot}
            held[slot] = chance.choice([it for it in BASES if it not in {held[slot], *others}])
            run = deploy(project, held)
        elif kind == "rollback" and slot in back:
            run = deploy(project, held, f"rollback={slot}", tasks="tasks/rollback.py")
            if not run.lines(slot, "holds the older one"):
                held[slot] = back[slot]
        else:
            kind = "prune"
            run = deploy(project, held, "prune=true", tasks="tasks/prune.py")
        did[kind] += 1
        assert {it: gpu1.parent(it) for it in SLOTS} == held, run.output
        assert gpu1.resident(*SLOTS), run.output
    looked(gpu1)
    now = metrics(gpu1)
    healed = {it: now[it] - counted[it] for it in counted if it[0] == "heals_total"}
    assert not any(healed.values()), said(gpu1, since)
    assert said(gpu1, since) == []
    assert gpu1.active(HEAL) == "inactive"
    figures.append(f"a look a second beside {did}: nothing healed, nothing in the journal")


def test_a_user_does_not_feel_the_looks(project: Project, gpu1: Host, figures: list[str]) -> None:
    held = dict(zip(SLOTS, BASES, strict=False))
    seconds: dict[str, list[float]] = {"heal": [], "off": []}
    for _ in range(ROUNDS):
        for watch, of_all in seconds.items():
            deploy(project, held, watch=watch)
            until("the host is quiet", lambda: gpu1.active(HEAL) == "inactive")
            time.sleep(5)
            with asking(gpu1, *SLOTS, pause=0.5) as records:
                time.sleep(ROUND_SECONDS)
            assert_none_failed(*records)
            of_all += [it for record in records for it in record.seconds]
    for watch, of_all in seconds.items():
        *_, p99 = statistics.quantiles(of_all, n=100)
        figures.append(
            f"a user with watch = {watch!r}, a look a second: {len(of_all)} requests, "
            f"median {statistics.median(of_all) * 1000:.0f} ms, 99th percentile {p99 * 1000:.0f} ms"
        )
