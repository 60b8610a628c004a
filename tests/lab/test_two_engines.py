"""Two Ollamas on one host, each declared by a name of its own: neither touches what is the other's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import hosts as lab_hosts
from tests.lab.client import asking, assert_none_failed
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, Run, model, until

URL = "http://127.0.0.1:11435"
UNIT = "/etc/systemd/system/second.service"
MAKE = f"""
mkdir -p /srv/second; chown ollama: /srv/second
cat >{UNIT} <<'END'
[Unit]
After=network-online.target
[Service]
User=ollama
Environment=OLLAMA_HOST=127.0.0.1:11435 OLLAMA_MODELS=/srv/second
ExecStart=/usr/local/bin/ollama serve
Restart=always
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload; systemctl enable --quiet --now second
"""
UNDO = """
systemctl disable --quiet --now second-warmup second
rm -rf /etc/systemd/system/second* /etc/ollama-second /etc/second /srv/second
rm -rf /var/lib/ollama-second* /var/lib/second*
systemctl daemon-reload
"""
SECONDS = ("coding-second", "general-second")
SECOND = {
    "ssh_hostname": "gpu1",
    "ollama_unit": "second.service",
    "slot1_name": SECONDS[0],
    "slot1_model": model("smollm2-coder:135m"),
    "slot2_name": SECONDS[1],
    "slot2_model": model("smollm2-spare:135m"),
    "slot3_model": "none",
    "slot4_model": "none",
}


def declare(project: Project, **second: Any) -> None:
    """Writes an inventory of gpu1's two Ollamas."""
    first = ("gpu1", {"slot4_model": SLOT4.partition("=")[2]})
    (project.path / "inventory.py").write_text(f"lab = [{first!r}, {('second', SECOND | second)!r}]\n")


@pytest.fixture
def both(project: Project, gpu1: Host) -> Iterator[Project]:
    """The project with the second Ollama declared, and deployed."""
    gpu1.run(MAKE)
    declare(project)
    run = project.deploy()
    assert run.code == 0, run.output
    yield project
    gpu1.run(UNDO)


def shown(host: Host) -> dict[str, str]:
    """What the second Ollama has in memory: the names of its slots, and their digests."""
    return {it["name"].partition(":")[0]: it["digest"] for it in host.api("/api/ps", url=URL)["models"]}


def status(project: Project) -> Run:
    return project.deploy(tasks="tasks/status.py")


def test_each_is_deployed_rotated_pruned_and_booted_by_itself(
    both: Project, gpu1: Host, figures: list[str]
) -> None:
    assert both.deploy().changes == 0
    assert set(shown(gpu1)) == set(SECONDS)
    assert gpu1.listed(*SLOTS)
    assert set(gpu1.tags()) & {f"{it}:latest" for it in SECONDS} == set()
    first = gpu1.ps()

    declare(both, slot1_model=model("smollm2-chat:135m"))
    with asking(gpu1, *SLOTS) as records:
        run = both.deploy()
    assert run.code == 0, run.output
    assert run.lines("second", "slot coding-second", "smollm2-chat:135m"), run.output
    assert not run.lines("[gpu1]", "slot "), "nothing of the other's changes"
    for slot, record in zip(SLOTS, records, strict=True):
        figures.append(f"a rotation in a second Ollama on the host; {slot} of the first: {record}")
    assert_none_failed(*records)
    assert gpu1.ps().keys() == first.keys()

    pruned = both.deploy("prune=true", tasks="tasks/prune.py")
    assert pruned.code == 0, pruned.output
    assert gpu1.resident(*SLOTS)
    assert set(shown(gpu1)) == set(SECONDS)

    lab_hosts.reboot("gpu1")
    for unit in ("ollama-warmup", "second-warmup"):
        assert gpu1.warmed_up(unit) == "active"
    assert gpu1.listed(*SLOTS)
    assert set(shown(gpu1)) == set(SECONDS)
    assert both.deploy().changes == 0


def test_status_and_the_suite_tell_them_apart(both: Project, gpu1: Host) -> None:
    assert status(both).code == 0
    assert both.verify()[0] == 0
    gpu1.run(f"OLLAMA_HOST={URL} ollama stop general-second")
    until("it is gone", lambda: "general-second" not in shown(gpu1))
    run = status(both)
    assert run.code == 1
    assert run.lines("[second]", "slot general-second"), run.output
    assert not run.lines("[gpu1]", "expected"), run.output
    assert both.verify()[:2] == (1, {"second-general-second"})
    run = both.deploy()
    assert run.code == 0, run.output
    assert not run.lines("[gpu1]", "slot ")
    assert both.verify()[0] == 0
