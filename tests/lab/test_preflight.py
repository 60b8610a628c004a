"""What would not end well is refused before anything is changed on any host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab import registry
from ollama_slots.core.shape import Load, held, predicted
from tests.lab.client import asking, assert_none_failed
from tests.lab.fleet import SLOTS, Host, Project, model, until

MODELS = ("smollm2:135m", "smollm2-coder:135m", "smollm2-chat:135m", "gemma3:270m")
PARALLEL = "/etc/systemd/system/ollama.service.d/parallel.conf"


def everything(host: Host) -> tuple[Any, ...]:
    """What a deploy could have changed: models, runners, files, and Ollama's process."""
    files = host.out("find /etc/systemd /etc/ollama /var/lib/ollama-slots -type f | sort | xargs sha256sum")
    names = {name: it["modified_at"] for name, it in host.tags().items()}
    return names, set(host.ps()), files, host.out("systemctl show -p MainPID ollama ollama-warmup")


def test_a_model_that_is_nowhere(project: Project, fleet: tuple[Host, Host]) -> None:
    project.select(slot2_general=model("nosuch:7b"))
    before = [everything(host) for host in fleet]
    with asking(fleet[0], "general-primary") as [record]:
        run = project.deploy("keep_alive=3600")  # a service that would change, too
    assert run.code == 1
    for host in fleet:
        assert run.lines(host.name, f"slot general-primary: expected {model('nosuch:7b')}", "correct slot2_model")
    assert [everything(host) for host in fleet] == before
    assert_none_failed(record)


def test_a_registry_that_is_away_is_a_notice(project: Project, fleet: tuple[Host, Host]) -> None:
    project.select(slot2_general=model("smollm2-spare:135m"))
    for host in fleet:
        host.run(f"ollama rm {model('smollm2-spare:135m')} 2>/dev/null || true")
    registry.stop()
    run = project.deploy()
    assert run.code == 1
    assert run.lines("gpu1", "its registry cannot be queried from the control machine (ConnectionError"), (
        run.output
    )
    assert run.lines("gpu1", f"pull of {model('smollm2-spare:135m')} failed"), run.output
    registry.start()
    assert project.deploy().code == 0


@pytest.fixture
def absent(fleet: tuple[Host, Host]) -> str:
    """A model that no host has, nor its weights: no slot could ever load it."""
    name = model("unknown-arch:135m")
    for host in fleet:
        if name in host.tags():
            host.api("/api/delete", {"model": name}, "DELETE")
        host.run("rm -f /usr/share/ollama/.ollama/models/blobs/*-partial*")  # of pulls that another test cut off
    return name


def test_a_registry_is_asked_once_for_all_hosts(project: Project, fleet: tuple[Host, Host], absent: str) -> None:
    log = registry.STATE / "registry-access.log"
    before = len(log.read_text().splitlines())
    project.select(slot2_general=absent)
    run = project.deploy(options=("--dry",))
    assert run.code == 0, run.output
    asked = [line for line in log.read_text().splitlines()[before:] if "/manifests/" in line]
    assert len(asked) == 1, asked
    for host in fleet:
        assert run.lines(f"[{host.name}] pull {absent}, 98 MB, for slot general-primary"), run.output
        assert run.lines(f"[{host.name}] slot general-primary: {absent} at ", "tokens, in place of"), run.output
        assert run.lines(f"[{host.name}] slot general-primary: {absent} holds "), run.output
        assert absent not in host.tags()


def test_a_disk_that_is_too_small(project: Project, gpu1: Host, absent: str) -> None:
    project.select(slot2_general=absent)
    before = everything(gpu1)
    run = project.deploy("disk_headroom_gib=900")
    assert run.code == 1
    assert run.lines("gpu1", f"disk: expected 0.1 GB for {absent} and 966.4 GB of headroom, found "), run.output
    assert everything(gpu1) == before


@pytest.fixture
def twelve_at_once(fleet: tuple[Host, Host]) -> Iterator[None]:
    """Each runner takes twelve requests at once, each with a cache of its own. gpu2 has 11.5 GiB."""
    fleet[1].run("echo 11776 >/etc/simulated-gpu")
    for host in fleet:
        host.run(f"printf '[Service]\\nEnvironment=OLLAMA_NUM_PARALLEL=12\\n' >{PARALLEL}")
        host.run("systemctl daemon-reload && systemctl restart ollama")
    yield
    fleet[1].run("echo 12288 >/etc/simulated-gpu")
    for host in fleet:
        host.run(f"rm {PARALLEL} && systemctl daemon-reload && systemctl restart ollama")


@pytest.mark.gpu
@pytest.mark.usefixtures("twelve_at_once")
def test_a_set_that_is_too_large_for_the_smaller_gpu(project: Project, gpu1: Host, gpu2: Host) -> None:
    """11.5 GiB on gpu2, 24 GiB on gpu1."""
    gpu2.warmed_up()
    before = everything(gpu2)
    run = project.deploy("slot2_num_ctx=32768")
    assert run.code == 1
    [line] = run.lines("gpu2", "GPU memory: expected")
    assert re.search(r"found 11\.\d GB", line), "11.5 GiB, less what the driver keeps"
    for words in (*SLOTS, "slot1_num_ctx=", "slot2_num_ctx=", "they would fit"):
        assert words in line
    assert everything(gpu2) == before
    assert not run.lines("gpu1", "GPU memory: expected"), run.output
    assert gpu1.resident(*SLOTS)
    assert {it["context_length"] for it in gpu1.ps().values()} == {8192, 4096, 32768}
    windows = [word.rstrip(",") for word in line.split() if "num_ctx=" in word]
    fitting = project.deploy(*windows, options=("-y", "--limit", "gpu2"))
    assert fitting.code == 0, fitting.output
    assert gpu2.resident(*SLOTS)


SECOND = "http://127.0.0.1:11435"


@pytest.fixture
def second(gpu1: Host) -> Iterator[None]:
    """A second Ollama on the same models: what is loaded there needs no room, and an unload takes 5 s."""
    environment = (
        f"-E OLLAMA_HOST={SECOND} -E OLLAMA_NOPRUNE=1 -E OLLAMA_MAX_LOADED_MODELS=4 -E HOME=/usr/share/ollama"
    )
    gpu1.run(f"systemd-run --quiet --collect --unit=second --uid=ollama {environment} /usr/local/bin/ollama serve")
    until("it answers", lambda: gpu1.run(f"curl -s {SECOND}/api/version", check=False).returncode == 0)
    yield
    gpu1.run("systemctl stop second")


@pytest.mark.gpu
@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("window", [2048, 8192])
def test_what_is_foreseen_of_gpu_memory_and_what_is_held(
    project: Project, gpu1: Host, window: int, figures: list[str]
) -> None:
    assert project.deploy().code == 0
    for name in MODELS:
        if model(name) not in gpu1.tags():
            gpu1.api("/api/pull", {"model": model(name), "insecure": True, "stream": False})
        info = gpu1.api("/api/show", {"model": model(name)})["model_info"]
        size = gpu1.tags()[model(name)]["size"]
        real = loaded(gpu1, model(name), window)
        ours, engines = held(info, size, Load(window, flash=False)), predicted(info, size, window)
        figures.append(
            f"GPU memory of {name} at {window} tokens: {real / 1e6:.0f} MB held, {ours / 1e6:.0f} foreseen "
            f"({(ours / real - 1) * 100:+.0f} %), {engines / 1e6:.0f} by the engine's guess"
        )
        assert ours >= real


def loaded(host: Host, name: str, window: int) -> int:
    """The GPU memory (bytes) that a model of the registry holds with a window."""
    options = {"num_predict": 1, "num_ctx": window}
    host.api("/api/generate", {"model": name, "prompt": "Hi", "stream": False, "options": options}, url=SECOND)
    [runner] = [it for it in host.api("/api/ps", url=SECOND)["models"] if it["name"] == name]
    assert runner["context_length"] == window
    return int(runner["size_vram"])
