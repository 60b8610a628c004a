"""Two deploys on the same hosts: the second one waits for the first, and says for whom."""

from __future__ import annotations

from tests.lab.fleet import SLOTS, Host, Project, model, until

LOCK = "/run/ollama-slots.lock"


def test_the_second_one_waits_and_finds_all_done(project: Project, gpu1: Host) -> None:
    project.select(slot1_coding=model("smollm2-chat:135m"))
    first = project.start("--limit", "gpu1")
    until("a rotation is under way", lambda: gpu1.run(f"flock -n {LOCK} true", check=False).returncode == 1)
    second = project.deploy(options=("-y", "--limit", "gpu1"))
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert second.code == 0, second.output
    assert second.lines("gpu1", "waits for the rotation of slot coding-primary, begun at "), second.output
    assert not second.lines("gpu1", "slot coding-primary:", "in place of"), "it was done when its turn came"
    assert gpu1.parent("coding-primary") == model("smollm2-chat:135m")
    assert gpu1.resident(*SLOTS)


def test_who_holds_the_lock_and_does_not_end_is_named(project: Project, gpu1: Host) -> None:
    hold = f"exec 9>>{LOCK}; flock 9; echo 'a test that sleeps' >{LOCK}; exec sleep 60"
    gpu1.run(f'systemd-run --quiet --unit=holder sh -c "{hold}"')
    until("the lock is held", lambda: gpu1.run(f"flock -n {LOCK} true", check=False).returncode == 1)
    run = project.deploy("load_seconds=1", tasks="tasks/status.py")
    assert run.code == 1
    assert run.lines("gpu1", "a test that sleeps is changing this host"), run.output
    gpu1.run("systemctl kill --signal=KILL holder")
    assert project.deploy().code == 0, "a dead holder's lock is no obstacle"
