"""What the owner of a host has set of Ollama: overruled where it can be, else named before anything is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.fleet import SLOTS, Host, Project, Run, until

DROP_INS = "/etc/systemd/system/ollama.service.d"
OWN = "OLLAMA_HOST=0.0.0.0\nOLLAMA_KEEP_ALIVE=24h\nOLLAMA_MAX_LOADED_MODELS=2\n"
VARIABLES = " ".join(f'"{it}"' for it in OWN.split())
WAYS = {
    "systemctl edit": {f"{DROP_INS}/override.conf": f"[Service]\nEnvironment={VARIABLES}\n"},
    "a file": {
        f"{DROP_INS}/override.conf": "[Service]\nEnvironmentFile=-/etc/default/oll*\n",
        "/etc/default/ollama": OWN,
    },
}
# As of a deploy before this kind was known.
EARLIER = {f"{DROP_INS}/ollama-slots.conf": '[Service]\nEnvironment="OLLAMA_KEEP_ALIVE=-1"\n'}
LATER, START, PROFILE = f"{DROP_INS}/zzz.conf", "/usr/local/bin/start-it", "/etc/profile.d/keep.sh"
UNIT = "/etc/systemd/system/ollama.service"


@pytest.fixture
def own(gpu1: Host) -> Iterator[Host]:
    """gpu1, from which the owner's files are taken away in the end."""
    gpu1.run(f"cp -p {UNIT} /tmp/unit")
    yield gpu1
    theirs = {path for files in WAYS.values() for path in files} | {LATER, START, PROFILE}
    gpu1.run(f"rm -f {' '.join(theirs)}; mv /tmp/unit {UNIT}; systemctl daemon-reload; systemctl restart ollama")


def write(host: Host, files: dict[str, str]) -> None:
    """Writes the owner's files, and has systemd read them."""
    for path, text in files.items():
        host.run(f"printf '%s' '{text}' >{path} && chmod 755 {path}")
    host.run("systemctl daemon-reload")


def restart(host: Host) -> None:
    """Restarts Ollama, and waits until its slots are loaded."""
    host.run("systemctl restart ollama")
    until("the warm-up is done", lambda: host.active("ollama-warmup") not in {"activating", "inactive"})


def started(host: Host) -> str:
    """When Ollama was."""
    return host.out("systemctl show --property=ActiveEnterTimestampMonotonic,MainPID ollama")


def environ(host: Host) -> list[str]:
    """What Ollama has in its environment."""
    said = host.out("tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value ollama)/environ")
    return [line for line in said.splitlines() if line.startswith("OLLAMA_")]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_declared_holds_after_one_deploy_and_the_next_restart_nothing(
    project: Project, own: Host, way: str
) -> None:
    own.run(f"rm /etc/ollama/ollama-slots.env {DROP_INS}/zz-ollama-slots.conf")
    write(own, WAYS[way] | EARLIER)
    own.run("systemctl restart ollama")
    assert "OLLAMA_KEEP_ALIVE=24h" in environ(own)
    run = project.deploy(options=("-y", "--limit", "gpu1"))
    assert run.code == 0, run.output
    assert sorted(environ(own)) == [
        "OLLAMA_HOST=0.0.0.0",
        "OLLAMA_KEEP_ALIVE=-1",
        "OLLAMA_MAX_LOADED_MODELS=5",
    ]
    assert "ollama-slots.conf" not in own.out(f"ls {DROP_INS}").split()
    at = started(own)
    again = project.deploy(options=("-y", "--limit", "gpu1"))
    assert again.changes == 0, again.output
    alike = project.deploy("keep_alive=-5m", tasks="tasks/service.py", options=("-y", "--limit", "gpu1"))
    assert alike.code == 0, alike.output
    assert started(own) == at
    assert own.resident(*SLOTS)


IN_UNIT = f"sed -i 's|^ExecStart=.*|ExecStart={START}|' {UNIT}"
IN_DROP_IN = f"printf '[Service]\\nExecStart=\\nExecStart={START}\\n' >{LATER}"


@pytest.mark.parametrize(("how", "command"), [("exec ", IN_DROP_IN), ("", IN_UNIT)])
def test_a_start_script_that_sets_it_is_named_by_its_line(
    project: Project, own: Host, how: str, command: str
) -> None:
    """Before Ollama has been started by it, and after."""
    write(own, {START: f"#!/bin/sh\n# mine\nexport OLLAMA_KEEP_ALIVE=24h\n{how}/usr/local/bin/ollama serve\n"})
    own.run(f"{command} && systemctl daemon-reload")
    for start in (lambda _: None, restart):
        start(own)
        assert own.resident(*SLOTS)
        at = started(own)
        run = project.deploy("max_loaded_models=7", options=("-y", "--limit", "gpu1"))
        assert run.code == 1, run.output
        [line] = run.lines("OLLAMA_KEEP_ALIVE")
        assert (
            f"{START}:3: expected OLLAMA_KEEP_ALIVE=-1 to hold, found that it sets OLLAMA_KEEP_ALIVE=24h" in line
        )
        assert started(own) == at
        assert own.resident(*SLOTS)
    status = project.deploy(tasks="tasks/status.py", options=("-y", "--limit", "gpu1"))
    assert status.lines(f"{START}:3: expected OLLAMA_KEEP_ALIVE=-1 to hold"), status.output


def test_what_nobody_sees_costs_no_second_restart(project: Project, own: Host) -> None:
    """A login shell reads files that nothing of the unit names."""
    login = '[Service]\nExecStart=\nExecStart=/bin/bash -lc "exec /usr/local/bin/ollama serve"\n'
    write(own, {LATER: login, PROFILE: "export OLLAMA_KEEP_ALIVE=24h\n"})

    def deploy() -> Run:
        return project.deploy("max_loaded_models=7", tasks="tasks/service.py", options=("-y", "--limit", "gpu1"))

    run = deploy()
    assert run.code == 1, run.output
    assert run.lines("restart Ollama: its process lacks")
    at = started(own)
    again = deploy()
    assert again.code == 1, again.output
    assert again.lines("expected Ollama's process to have OLLAMA_KEEP_ALIVE=-1", "another start would not help")
    assert started(own) == at
    own.run(f"rm {PROFILE} && systemctl restart ollama")
    assert deploy().code == 0
