"""What was brought and is not declared any more is listed, removed when asked, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import registry
from tests.lab.client import asking
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, Run, model, until

SPARE, CHAT = model("smollm2-spare:135m"), model("smollm2-chat:135m")
BLOBS = "/usr/share/ollama/.ollama/models/blobs"
RECORD = "/var/lib/ollama-slots/bases"


@pytest.fixture
def bare(project: Project, gpu1: Host) -> Iterator[Project]:
    """The deployed project, on whose first host the models that these tests bring and take are not there yet."""
    # Nor does any slot have one to go back to: what is made of a base keeps it.
    assert prune(project, "prune=true", "prune_previous=true").code == 0
    clear(gpu1)
    yield project
    clear(gpu1)


def clear(host: Host) -> None:
    """As people do it: slots and variants that are not the project's, and these bases."""
    for name in host.tags():
        if name.partition(":")[0] in ("extra", "mine") or name in (SPARE, CHAT, model("smollm2-twin:135m")):
            host.run(f"ollama stop {name}; ollama rm {name}")
    host.run("rm -f /var/lib/ollama-slots/extra.slot /var/lib/ollama-slots/previous/extra.slot")


def prune(project: Project, *data: str) -> Run:
    run = project.deploy(SLOT4, *data, tasks="tasks/prune.py", options=("-y", "--limit", "gpu1"))
    assert "Traceback" not in run.output
    return run


def with_a_fifth_slot(project: Project, base: str) -> None:
    """Deploys a slot that the project does not declare by itself."""
    data = (SLOT4, "slot5_name=extra", "slot5_num_ctx=2048", f"slot5_model={base}")
    run = project.deploy(*data, options=("-y", "--limit", "gpu1"))
    assert run.code == 0, run.output


def weights_on_disk(host: Host, weights: str) -> bool:
    return host.out(f"ls {BLOBS}/sha256-{weights} 2>/dev/null || true") != ""


def assert_every_slot_serves(host: Host) -> None:
    assert host.resident(*SLOTS)
    assert all(host.answers(slot) for slot in SLOTS)


def test_a_listing_changes_nothing(bare: Project, gpu1: Host) -> None:
    with_a_fifth_slot(bare, SPARE)
    before, record, free = gpu1.tags(), gpu1.out(f"cat {RECORD}"), gpu1.ps()
    assert [line for line in record.splitlines() if line.startswith(f"{SPARE} 20")]
    run = prune(bare)
    assert run.code == 0, run.output
    assert run.changes == 0, run.output
    assert len(run.lines("gpu1", "extra", "no slot has this name")) == 1
    assert len(run.lines("gpu1", SPARE, "no slot has it as its base")) == 1
    assert run.lines("gpu1", "total", "2 can go: --data prune=true removes them")
    assert (gpu1.tags(), gpu1.out(f"cat {RECORD}"), gpu1.ps().keys()) == (before, record, free.keys())


def test_what_nothing_declares_is_removed_and_only_that(bare: Project, gpu1: Host, figures: list[str]) -> None:
    before = gpu1.tags()
    with_a_fifth_slot(bare, SPARE)
    weights, size = gpu1.weights(SPARE), gpu1.tags()[SPARE]["size"]
    assert weights_on_disk(gpu1, weights)
    used = int(gpu1.out(f"du -sb {BLOBS} | cut -f 1"))
    with asking(gpu1, "coding-primary") as [asked]:
        run = prune(bare, "prune=true")
    figures.append(f"slot and base removed while a client asks another slot: {asked}")
    assert run.code == 0, run.output
    assert run.changes == 1
    [total] = run.lines("gpu1", "total", "2 to remove")
    freed = used - int(gpu1.out(f"du -sb {BLOBS} | cut -f 1"))
    assert f" {freed} " in total, f"{freed} bytes are free, and the listing said: {total}"
    assert freed > 0.99 * size
    assert gpu1.tags() == before
    assert not weights_on_disk(gpu1, weights)
    assert not gpu1.out("find /etc/ollama /var/lib/ollama-slots | grep extra || true")
    assert SPARE not in gpu1.out(f"cat {RECORD}")
    assert len(gpu1.ps()) == 4, "its runner has ended"
    assert_every_slot_serves(gpu1)
    again = prune(bare, "prune=true")
    assert (again.code, again.changes) == (0, 0)
    assert bare.deploy(SLOT4, tasks="tasks/models.py").changes == 0


def test_what_someone_else_brought_stays(bare: Project, gpu1: Host) -> None:
    """A base that they pulled, one of ours that they pulled again, and a variant that they made of ours."""
    gpu1.api("/api/pull", {"model": CHAT, "insecure": True, "stream": False})
    with_a_fifth_slot(bare, SPARE)
    gpu1.run(f"printf 'FROM {SPARE}\\nPARAMETER num_ctx 512\\n' >/tmp/Mine && ollama create mine -f /tmp/Mine")
    run = prune(bare, "prune=true")
    assert run.code == 0, run.output
    assert run.lines("gpu1", SPARE, "stays", "mine:latest is made from it"), run.output
    assert not run.lines("gpu1", "remove", CHAT)
    assert {SPARE, CHAT, "mine:latest"} <= gpu1.tags().keys()
    assert "extra:latest" not in gpu1.tags()
    assert gpu1.answers("mine")

    gpu1.run("ollama stop mine; ollama rm mine")
    gpu1.api("/api/pull", {"model": SPARE, "insecure": True, "stream": False})
    run = prune(bare, "prune=true")
    assert (run.code, run.changes) == (0, 0)
    assert run.lines("gpu1", SPARE, "stays", "someone else has pulled it since"), run.output
    assert_every_slot_serves(gpu1)


def test_a_base_of_ours_that_a_deploy_repaired_is_still_ours(bare: Project, gpu1: Host) -> None:
    """The engine lists it with another time since, and the same digest."""
    with_a_fifth_slot(bare, SPARE)
    record = gpu1.out(f"grep -F {SPARE} {RECORD}")
    weights = gpu1.weights(SPARE)
    gpu1.unload("extra")
    gpu1.run(f"rm {BLOBS}/sha256-{weights}")
    with_a_fifth_slot(bare, SPARE)
    assert gpu1.out(f"grep -F {SPARE} {RECORD}") != record, "it was pulled again"
    assert prune(bare, "prune=true").code == 0
    assert SPARE not in gpu1.tags()


def test_a_variant_that_someone_changed_stays(bare: Project, gpu1: Host) -> None:
    with_a_fifth_slot(bare, SPARE)
    gpu1.run(f"printf 'FROM {SPARE}\\nPARAMETER num_ctx 512\\n' >/tmp/Mine && ollama create extra -f /tmp/Mine")
    before = gpu1.tags()
    run = prune(bare, "prune=true")
    assert (run.code, run.changes) == (0, 0), run.output
    assert run.lines("gpu1", "extra", "stays", "extra:latest was changed by someone else")
    assert run.lines("gpu1", SPARE, "stays", "extra:latest is made from it")
    assert gpu1.tags() == before


def test_what_is_kept_for_a_rollback_goes_only_by_choice(bare: Project, gpu1: Host) -> None:
    selected = model("smollm2-coder:135m")
    for base in (SPARE, selected):
        bare.select(slot1_coding=base)
        run = bare.deploy(SLOT4, options=("-y", "--limit", "gpu1"))
        assert run.code == 0, run.output
    kept = prune(bare, "prune=true")
    assert kept.changes == 0, kept.output
    assert kept.lines("gpu1", "coding-primary:previous", "stays", "--data prune_previous=true")
    assert kept.lines("gpu1", SPARE, "stays", "coding-primary:previous is made from it")
    weights, served = gpu1.weights(SPARE), gpu1.tags()["coding-primary:latest"]["digest"]
    run = prune(bare, "prune=true", "prune_previous=true")
    assert run.code == 0, run.output
    assert not {"coding-primary:previous", SPARE} & gpu1.tags().keys()
    assert not weights_on_disk(gpu1, weights)
    assert gpu1.tags()["coding-primary:latest"]["digest"] == served
    assert not gpu1.out("find /etc/ollama/modelfiles/previous /var/lib/ollama-slots/previous -name 'coding*'")
    assert_every_slot_serves(gpu1)
    assert prune(bare, "prune=true", "prune_previous=true").changes == 0
    assert bare.deploy(SLOT4, tasks="tasks/models.py").changes == 0


def test_two_tags_of_the_same_weights_are_two_names(bare: Project, gpu1: Host) -> None:
    twin, backup = model("smollm2-twin:135m"), model("smollm2:135m")
    with_a_fifth_slot(bare, twin)
    assert gpu1.weights(twin) == gpu1.weights(backup)
    gpu1.run("ollama stop backup; ollama stop extra")
    gpu1.run("sed -i 's/^loaded=.*/loaded=/' /var/lib/ollama-slots/backup.slot")  # an earlier run may know it
    until("the runner is the one that extra loads", lambda: gpu1.answers("extra") and gpu1.listed("extra"))
    run = prune(bare, "prune=true")
    assert run.code == 0, run.output
    [total] = run.lines("gpu1", "total", "2 to remove")
    assert int(total.split("total")[1].split()[0]) < 100_000, "their weights are still used"
    assert twin not in gpu1.tags()
    assert backup in gpu1.tags()
    assert len(gpu1.ps()) == 4
    before = gpu1.runners()
    status = bare.deploy(SLOT4, tasks="tasks/status.py", options=("-y", "--limit", "gpu1"))
    assert not status.lines("gpu1", "memory"), status.output
    assert all(gpu1.answers(slot) for slot in SLOTS)
    assert gpu1.runners() == before, "nothing is loaded for it"
    assert bare.deploy(SLOT4, tasks="tasks/models.py").changes == 0


def test_what_cannot_be_removed_is_one_line_and_every_slot_answers(bare: Project, gpu1: Host) -> None:
    with_a_fifth_slot(bare, SPARE)
    names = "/usr/share/ollama/.ollama/models/manifests/registry.ollama.ai/library/extra"
    gpu1.run(f"chattr +i {names} 2>/dev/null || mount --bind -o ro {names} {names}")
    try:
        run = prune(bare, "prune=true")
        assert run.code == 1
        assert len(run.lines("gpu1", "cannot delete extra:latest: ")) == 1, run.output
        assert all(gpu1.answers(slot) for slot in (*SLOTS, "extra"))
        assert SPARE in gpu1.tags()
    finally:
        gpu1.run(f"chattr -i {names} 2>/dev/null || umount {names}")
    assert prune(bare, "prune=true").code == 0
    assert "extra:latest" not in gpu1.tags()


def test_without_the_registry_it_goes_as_well(bare: Project, gpu1: Host) -> None:
    with_a_fifth_slot(bare, SPARE)
    registry.stop()
    run = prune(bare, "prune=true")
    assert run.code == 0, run.output
    assert SPARE not in gpu1.tags()
