"""The status tells all that is not as declared, and changes nothing; the next deploy makes it good."""

from __future__ import annotations

import json
import re
import subprocess

from lab import registry
from tests.lab.fleet import SLOTS, Host, Project, Run, holds, model, until

DROP_IN = "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf"


def status(project: Project, *data: str) -> Run:
    return project.deploy(*data, tasks="tasks/status.py")


def differences(run: Run) -> set[tuple[str, str]]:
    """What a status told of: hosts, each with what differs."""
    return set(re.findall(r"^ +\[(\w+)\] +(.+?): expected ", run.output, re.MULTILINE))


def traces(host: Host) -> object:
    """Whatever a change leaves behind: times of models and files, runners, processes, starts of units."""
    files = host.out(
        "find /etc/systemd/system /etc/ollama /var/lib/ollama-slots /usr/local/lib/ollama-slots "
        "/usr/share/ollama/.ollama/models -printf '%p %T+ %C+\\n' | sort; "
        "systemctl show -p MainPID -p InvocationID -p UnitFileState -p NeedDaemonReload ollama ollama-warmup"
    )
    # Not when they expire: the engine may show what was asked before only seconds later.
    runners = {
        digest: {key: it for key, it in runner.items() if key != "expires_at"}
        for digest, runner in host.ps().items()
    }
    return host.tags(), runners, host.runners(), files.splitlines()


def test_a_fleet_as_declared_is_told_so_and_left_alone(project: Project, fleet: tuple[Host, Host]) -> None:
    before = [traces(host) for host in fleet]
    run = status(project)
    assert run.code == 0, run.output
    assert run.changes == 0
    assert differences(run) == set()
    for host in fleet:
        assert len(run.lines(host.name, " yes")) == len(SLOTS)
    assert [traces(host) for host in fleet] == before


def test_all_that_was_done_by_hand_is_told_of_at_once_and_repaired(project: Project, gpu2: Host) -> None:
    gpu2.run(f"echo 'FROM {model('smollm2-math:135m')}' >/tmp/stray && ollama create backup -f /tmp/stray")
    gpu2.unload("general-primary")
    gpu2.run("""curl -s localhost:11434/api/generate -d '{"model":"coding-primary","keep_alive":"24h"}'""")
    # The engine minds it once it is done with the unload, which takes it seconds.
    until("a model expires", lambda: any(it["expires_at"] < "2200" for it in gpu2.ps().values()))
    gpu2.run(f"kill -9 $({holds(gpu2.weights('experimental'))})")
    gpu2.run(f"echo '# edited' >>{DROP_IN}; systemctl disable ollama-warmup")
    before = traces(gpu2)
    run = status(project)
    assert run.code == 1
    assert differences(run) == {
        ("gpu2", "slot backup"),
        ("gpu2", "slot general-primary"),
        ("gpu2", "slot coding-primary"),
        ("gpu2", "slot experimental"),
        ("gpu2", DROP_IN),
        ("gpu2", "ollama-warmup.service"),
    }, run.output
    assert run.lines("slot backup: expected backup as it was made, ", "found one changed by hand, ")
    assert run.lines("slot general-primary: ", "found not in memory")
    assert run.lines("slot coding-primary: ", "found that it expires at 20")
    assert run.lines("slot experimental: ", "found its runner has ended")
    assert run.lines("ollama-warmup.service: expected enabled, found disabled")
    assert traces(gpu2) == before

    deployed = project.deploy()
    assert deployed.code == 0, deployed.output
    again = status(project)
    assert again.code == 0, again.output


def test_what_is_declared_anew_is_told_of_before_it_is_deployed(
    project: Project,
    fleet: tuple[Host, Host],  # noqa: ARG001
) -> None:
    project.select(slot1_coding=model("smollm2-chat:135m"))
    run = status(project, "slot3_num_ctx=2048", "slot4_model=none")
    assert run.code == 1
    assert differences(run) == {
        (host, f"slot {slot}")
        for host in ("gpu1", "gpu2")
        for slot in ("coding-primary", "backup", "experimental")
    }
    for host in ("gpu1", "gpu2"):
        chat, coder = model("smollm2-chat:135m"), model("smollm2-coder:135m")
        assert run.lines(host, f"slot coding-primary: expected {chat}, found {coder}")
        assert run.lines(host, "slot backup: expected 2048 tokens, found 4096 tokens")
        assert run.lines(host, f"slot experimental: expected no model, found {model('smollm2-math:135m')}")


def test_an_ollama_that_does_not_answer_is_no_pass(project: Project, gpu1: Host) -> None:
    gpu1.run("systemctl stop ollama")
    run = status(project)
    assert run.code == 1
    assert differences(run) == {
        ("gpu1", "Ollama's process"),
        ("gpu1", "Ollama"),
        ("gpu1", "ollama-warmup.service"),
    }, run.output
    assert gpu1.active("ollama") == "inactive"
    assert len(run.lines("gpu1", "NO: Ollama does not answer")) == len(SLOTS)
    assert project.deploy().code == 0
    assert status(project).code == 0


def test_programs_get_it_as_json(project: Project, gpu1: Host, gpu2: Host) -> None:  # noqa: ARG001
    gpu1.unload("backup")
    done = subprocess.run(
        project.command("--json", "ollama_slots.facts.SlotStatus", tasks="fact"),
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)["ollama_slots.facts.SlotStatus"]
    assert told["gpu2"]["differences"] == []
    assert [it["name"] for it in told["gpu2"]["slots"] if it["resident"]] == list(SLOTS)
    assert [it["name"] for it in told["gpu1"]["slots"] if not it["resident"]] == ["backup"]
    [difference] = told["gpu1"]["differences"]
    assert difference["what"] == "slot backup"
    assert difference["found"] == "not in memory"


def test_a_base_that_moved_in_its_registry_is_told_of(project: Project, gpu1: Host, gpu2: Host) -> None:
    file = registry.manifest("smollm2-math:135m")
    before = file.read_text()
    file.write_text(before + "\n")  # another digest
    try:
        run = status(project)
        assert run.code == 1
        assert differences(run) == {("gpu1", "slot experimental"), ("gpu2", "slot experimental")}
        assert run.lines("gpu1", f"expected {model('smollm2-math:135m')} as its registry has it now"), run.output
        assert project.deploy().changes == 0, "a deploy keeps to what is there"
        for host in (gpu1, gpu2):
            host.api("/api/pull", {"model": model("smollm2-math:135m"), "insecure": True, "stream": False})
        assert project.deploy().code == 0
        assert status(project).code == 0
    finally:
        file.write_text(before)
    for host in (gpu1, gpu2):
        host.api("/api/pull", {"model": model("smollm2-math:135m"), "insecure": True, "stream": False})
    assert gpu1.resident(*SLOTS)


def test_a_registry_that_is_away_is_no_difference(project: Project) -> None:
    registry.stop()
    run = status(project)
    assert run.code == 0, run.output
    assert run.lines("gpu1", "its registry cannot be queried from the control machine (ConnectionError"), (
        run.output
    )
