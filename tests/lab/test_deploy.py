"""A deploy leaves four slots resident on each host, and a second one changes nothing."""

from __future__ import annotations

from lab import engine
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, model

CONTEXTS = {"coding-primary": 8192, "general-primary": 16384, "backup": 4096, "experimental": 8192}
BASES = {
    "coding-primary": "smollm2-coder:135m",
    "general-primary": "gemma3:270m",
    "backup": "smollm2:135m",
    "experimental": "smollm2-math:135m",
}


def test_four_slots_are_resident_as_declared(project: Project, fleet: tuple[Host, Host]) -> None:  # noqa: ARG001
    for host in fleet:
        assert_as_declared(host)


def assert_as_declared(host: Host) -> None:
    tags, ps = host.tags(), host.ps()
    assert len(ps) == 4
    for slot in SLOTS:
        runner = ps[tags[f"{slot}:latest"]["digest"]]
        assert runner["context_length"] == CONTEXTS[slot]
        assert runner["size"] > 0
        assert runner["size_vram"] == (runner["size"] if engine.simulates_gpu() else 0)
        assert int(runner["expires_at"][:4]) > 2300
        assert host.parent(slot) == model(BASES[slot])
    assert len({host.weights(slot) for slot in SLOTS}) == 4


def test_variants_are_made_of_the_modelfiles_on_the_host(project: Project, gpu1: Host) -> None:  # noqa: ARG001
    text = gpu1.out("cat /etc/ollama/modelfiles/coding-primary.Modelfile")
    shown = gpu1.api("/api/show", {"model": "coding-primary"})
    assert "FROM " + model("smollm2-coder:135m") in text
    assert shown["system"] == "You write short, correct Python."
    parameters = dict(line.split(None, 1) for line in shown["parameters"].splitlines())
    assert parameters["num_ctx"] == "8192"
    assert parameters["temperature"] == "0.2"


def test_ollama_itself_has_the_environment(project: Project, fleet: tuple[Host, Host]) -> None:  # noqa: ARG001
    for host in fleet:
        environ = host.out(
            "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value ollama)/environ"
        ).splitlines()
        assert "OLLAMA_KEEP_ALIVE=-1" in environ
        assert "OLLAMA_MAX_LOADED_MODELS=5" in environ
        assert "ollama-slots" not in host.out("cat /etc/systemd/system/ollama.service"), "the vendor's unit is his"


def test_the_table_ends_the_run(project: Project, fleet: tuple[Host, Host]) -> None:  # noqa: ARG001
    run = project.deploy()
    table = run.lines(" name ", " base ", "resident") + run.lines("yes")
    assert table[0].split() == ["host", "slot", "name", "base", "context", "GB", "in", "GPU", "resident"]
    assert len(table) == 9
    host, number, slot, base, context, gigabytes, resident = table[3].split()
    assert (host, number, slot, base, context, resident) == (
        "gpu1",
        "3",
        "backup",
        model(BASES["backup"]),
        "4096",
        "yes",
    )
    assert (0.1 < float(gigabytes) < 0.5) == engine.simulates_gpu()


def test_a_second_deploy_changes_nothing(project: Project, fleet: tuple[Host, Host], figures: list[str]) -> None:
    modified = [{name: it["modified_at"] for name, it in host.tags().items()} for host in fleet]
    since = [host.now() for host in fleet]
    before = [sessions(host) for host in fleet]
    run = project.deploy()
    after = [sessions(host) for host in fleet]
    assert run.code == 0
    assert run.changes == 0, run.output
    for index, host in enumerate(fleet):
        asked = host.journal("ollama", since[index])
        assert '"/api/tags"' in asked, "the server's log shows requests at all"
        for request in ("pull", "create", "copy", "delete", "generate"):
            assert f'"/api/{request}"' not in asked
        assert {name: it["modified_at"] for name, it in host.tags().items()} == modified[index]
        # Reading the count is a command as well, once.
        commands = after[index] - before[index] - 1
        figures.append(f"second deploy: {commands} SSH commands on {host.name}, as its sshd counts them")
        assert 1 <= commands <= 6


def sessions(host: Host) -> int:
    """The commands that a host's sshd has run, by its own log."""
    return int(
        host.out("journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Starting session: command'")
    )


def test_dry_says_what_it_would_do_and_does_nothing(project: Project, fleet: tuple[Host, Host]) -> None:
    project.select(slot1_coding=model("smollm2-chat:135m"))
    for host in fleet:
        if model("smollm2-chat:135m") in host.tags():
            host.api("/api/delete", {"model": model("smollm2-chat:135m")}, "DELETE")
    before = [(host.tags(), host.ps()) for host in fleet]
    run = project.deploy(SLOT4, options=("--dry", "-y"))
    assert run.code == 0
    dry = project.deploy(SLOT4, options=("--dry",))
    assert dry.lines("gpu1", "pull " + model("smollm2-chat:135m"), "coding-primary"), dry.output
    assert [(host.tags(), host.ps()) for host in fleet] == before
