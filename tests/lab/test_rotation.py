"""A slot changes its model while a user asks it without pause."""

from __future__ import annotations

import time

from tests.lab.client import asking, assert_none_failed
from tests.lab.fleet import SLOTS, Host, Project, model

SPARE = model("smollm2-chat:135m")


def bare_load(host: Host, name: str) -> float:
    """The seconds that a model takes to load and answer where it is not in memory."""
    start = time.monotonic()
    assert host.answers(name)
    seconds = time.monotonic() - start
    host.unload(name)
    return seconds


def names(host: Host) -> dict[str, str]:
    """What the slot's names mean: NAME:latest, NAME:current and NAME:previous."""
    return {name: it["digest"] for name, it in host.tags().items() if name.startswith("coding-primary:")}


def test_no_request_fails_or_waits(project: Project, gpu1: Host, figures: list[str]) -> None:
    old = gpu1.weights("coding-primary")
    # The new base is there beforehand, so that its bare load can be timed on the same host in the same run.
    gpu1.api("/api/pull", {"model": SPARE, "insecure": True, "stream": False})
    bare = bare_load(gpu1, SPARE)
    project.select(slot1_coding=SPARE)
    with asking(gpu1, "coding-primary") as [record]:
        run = project.deploy()
    assert run.code == 0, run.output
    figures.append(f"rotation: {record}; bare load of the new model {bare:.2f} s")
    assert gpu1.parent("coding-primary") == SPARE
    loaded = {gpu1.weights(slot) for slot in SLOTS}
    assert old not in loaded
    assert len(gpu1.ps()) == 4, "the old weights are not in memory"
    assert gpu1.resident(*SLOTS)
    shown = {it["name"] for it in gpu1.ps().values()}
    assert "coding-primary:current" in shown, "ollama ps shows what serves by a name of it"
    assert gpu1.weights("coding-primary:previous") == old
    assert gpu1.answers("coding-primary:previous")
    assert project.deploy().code == 0
    assert len(gpu1.ps()) == 4, "the next deploy unloads what nobody declared"
    assert_none_failed(record)


def test_to_weights_that_serve_another_slot(project: Project, gpu1: Host, figures: list[str]) -> None:
    project.select(slot1_coding=model("smollm2-math:135m"))  # the experimental slot's
    with asking(gpu1, "coding-primary", "experimental") as (record, other):
        run = project.deploy()
    assert run.code == 0, run.output
    figures.append(f"rotation to another slot's weights: {record}; the other slot: {other}")
    assert gpu1.weights("coding-primary") == gpu1.weights("experimental")
    assert len(gpu1.ps()) == 3
    assert_none_failed(record, other)


def test_from_weights_that_serve_another_slot(project: Project, gpu1: Host, figures: list[str]) -> None:
    project.select(slot1_coding=model("smollm2-math:135m"))
    assert project.deploy().code == 0
    project.select(slot1_coding=model("smollm2-coder:135m"))
    with asking(gpu1, "coding-primary", "experimental") as (record, other):
        run = project.deploy()
    assert run.code == 0, run.output
    figures.append(f"rotation from another slot's weights: {record}; the other slot: {other}")
    assert gpu1.resident(*SLOTS), "the weights that the other slot still uses stay"
    assert_none_failed(record, other)


def test_only_the_system_prompt_changes(project: Project, gpu1: Host, figures: list[str]) -> None:
    runners = {it["digest"] for it in gpu1.ps().values()}
    with asking(gpu1, "coding-primary") as [record]:
        run = project.deploy("slot1_system=Be brief.")
    assert run.code == 0, run.output
    figures.append(f"a changed system prompt: {record}")
    assert gpu1.api("/api/show", {"model": "coding-primary"})["system"] == "Be brief."
    assert {it["digest"] for it in gpu1.ps().values()} == runners, "nothing was reloaded"
    assert project.deploy("slot1_system=Be brief.").changes == 0
    assert_none_failed(record)


def test_two_slots_swap_their_models(project: Project, gpu1: Host) -> None:
    """With one window for both, or each request would have the runner that they share meanwhile loaded again."""
    assert project.deploy("slot3_num_ctx=8192").code == 0
    project.select(slot1_coding=model("smollm2:135m"), slot3_backup=model("smollm2-coder:135m"))
    with asking(gpu1, "coding-primary", "backup") as (coding, backup):
        run = project.deploy("slot3_num_ctx=8192")
    assert run.code == 0, run.output
    assert gpu1.parent("coding-primary") == model("smollm2:135m")
    assert gpu1.parent("backup") == model("smollm2-coder:135m")
    assert len(gpu1.ps()) == 4
    assert_none_failed(coding, backup)


def test_a_candidate_that_cannot_load_changes_nothing(project: Project, gpu1: Host, gpu2: Host) -> None:
    project.select(slot1_coding=SPARE)
    assert project.deploy().code == 0
    before = [(names(host), host.ps().keys()) for host in (gpu1, gpu2)]
    project.select(slot1_coding=model("unknown-arch:135m"))
    with asking(gpu1, "coding-primary") as [record]:
        run = project.deploy()
    assert run.code == 1
    assert run.lines("slot coding-primary: the candidate does not answer", "the slot is unchanged"), run.output
    assert [(names(host), host.ps().keys()) for host in (gpu1, gpu2)] == before
    assert gpu1.answers("coding-primary")
    assert_none_failed(record)


def test_where_both_do_not_fit_the_old_one_makes_room(project: Project, gpu1: Host, figures: list[str]) -> None:
    project.select(slot1_coding=SPARE)
    with asking(gpu1, "coding-primary") as [record]:
        run = project.deploy("gpu_memory_gib=5.0")
    assert run.code == 0, run.output
    assert run.lines("gpu1", "coding-primary", "the old one unloaded first"), run.output
    # The engine may end a runner under a request that has just come: here, and only here, one may be lost.
    figures.append(f"rotation without room for both: {record} {record.failures}")
    assert gpu1.parent("coding-primary") == SPARE
    assert gpu1.resident(*SLOTS)
    assert_none_failed(record)


def test_the_old_one_is_put_back_if_the_new_one_fails(project: Project, gpu1: Host) -> None:
    before = names(gpu1)
    project.select(slot1_coding=model("unknown-arch:135m"))
    run = project.deploy("gpu_memory_gib=4.8")
    assert run.code == 1
    assert run.lines("gpu1", "the old one unloaded first"), run.output
    assert names(gpu1) == before
    assert gpu1.resident(*SLOTS)
