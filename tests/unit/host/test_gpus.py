"""What Ollama found when it was started, off its log, or off what was kept of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from ollama_slots.core.observed import Observed
from ollama_slots.core.shape import Shape
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.engine import WORDS
from tests.unit.host.slots import pulled
from tests.unit.world import OF_THE_CPU, of_start

A = declared("a:1b")
CARD = "00000000:01:00.0, 24576, 24000, 8.9\n"


class Start:
    """A start of Ollama on a host, and what it said of its GPUs."""

    def __init__(self, host: DirectoryHost) -> None:
        self.host, self.log, self.driver = host, host.root / "log", host.root / "driver"
        self.link = host.root / host.paths["started"].lstrip("/")
        self.link.parent.mkdir(parents=True, exist_ok=True)
        self.link.symlink_to("1" * 32)

    def says(self, *lines: str) -> None:
        noise = ['time=2026-01-15T10:30:00.000Z level=INFO source=routes.go:1 msg="server config" library=x']
        self.log.write_text("\n".join([*noise, *lines, "[GIN] 200 GET /api/tags", ""]))

    def again(self, number: str) -> None:
        self.link.unlink()
        self.link.symlink_to(number * 32)

    def found(self) -> Observed:
        return self.host.found(A)

    def kept(self) -> None:
        """As after each start, by a deploy."""
        assert self.host.run("await", verb="start", url="", seconds=5).code == 0


@pytest.fixture
def start(host: DirectoryHost) -> Start:
    return Start(host)


def test_a_log_that_tells_of_gpus(start: Start) -> None:
    start.says(of_start(24576), of_start(12288))
    assert [it.total >> 30 for it in start.found().gpus or ()] == [23, 11]  # as shown, it may be a little less
    assert start.found().cards is None, "the driver is not asked"


def test_a_log_that_tells_of_none(start: Start) -> None:
    start.says(OF_THE_CPU)
    assert (start.found().gpus, start.found().cards, start.found().has_gpu) == ((), None, False)
    start.driver.write_text(CARD)
    assert (start.found().cards, start.found().blind) == (1, True)


def test_a_log_that_is_gone(start: Start) -> None:
    assert (start.found().gpus, start.found().has_gpu) == (None, False)
    start.driver.write_text(CARD * 2)
    assert (start.found().gpus, start.found().cards, start.found().has_gpu) == (None, 2, True)


def test_a_driver_that_does_not_answer_tells_of_none(start: Start) -> None:
    (start.host.root / "bin/nvidia-smi").write_text("#!/bin/sh\necho No devices were found\nexit 6\n")
    start.says(OF_THE_CPU)
    assert start.found().cards is None


def test_what_it_found_is_kept_for_as_long_as_it_runs(start: Start) -> None:
    start.says(of_start(24576))
    start.kept()
    start.says()
    assert [it.total >> 30 for it in start.found().gpus or ()] == [23]
    start.again("2")
    assert start.found().gpus is None, "of another start"
    start.says(of_start(12288))
    start.kept()
    assert [it.total >> 30 for it in start.found().gpus or ()] == [11]


def test_a_card_that_it_does_not_use_is_no_reason_to_have_it_look_again(start: Start) -> None:
    start.driver.write_text(CARD)
    start.says(OF_THE_CPU)
    start.kept()
    assert (start.found().gpus, start.found().cards) == ((), 1)
    assert (start.found().blind, start.found().has_gpu) == (False, False)


def test_a_driver_that_came_later_is(start: Start) -> None:
    start.says(OF_THE_CPU)
    start.kept()
    start.driver.write_text(CARD)
    assert (start.found().blind, start.found().has_gpu) == (True, True)


def test_nothing_is_kept_of_what_is_not_known(start: Start) -> None:
    start.kept()
    assert start.found().gpus is None
    assert not (start.host.root / start.host.paths["gpus_found"].lstrip("/")).exists()


def test_the_warm_up_keeps_it_too(start: Start) -> None:
    start.says(of_start(24576))
    start.host.install_warm_up(A)
    assert start.host.warm_up("found").code == 0
    start.says()
    assert start.found().gpus


def test_where_the_last_deploy_found_one_it_is_missed(start: Start) -> None:
    start.says(OF_THE_CPU)
    start.host.install_warm_up(A, needs_gpu=True)
    assert (start.found().expects_gpu, start.found().has_gpu) == (True, True)
    start.host.install_warm_up(A, needs_gpu=False)
    assert (start.found().expects_gpu, start.found().has_gpu) == (False, False)


@pytest.mark.parametrize("model", ["a:1b", "registry.example.com:5000/team/a:1b"])
def test_the_heads_of_each_layer_are_asked_for_where_they_are_a_list(host: DirectoryHost, model: str) -> None:
    key = "llama.attention.head_count_kv"
    pulled(host, model)
    host.engine.lists = {key: [0, 4, 0, 4], "tokenizer.ggml.tokens": ["a", f'"{key}":[9]']}
    [shown] = host.details([model]).shown.values()
    assert shown.model_info[key] == [0, 4, 0, 4]


def test_the_size_of_the_vocabulary_of_an_embedding_model_is_asked_for(host: DirectoryHost) -> None:
    pulled(host, "a:1b")
    pulled(host, "team/e:1b", embeds=True)
    info = {key: it.model_info for key, it in host.details(["a:1b", "team/e:1b"]).shown.items()}
    assert {key: Shape(it).words for key, it in info.items()} == {
        "registry.ollama.ai/library/a:1b": 0,
        "registry.ollama.ai/team/e:1b": WORDS,
    }


@pytest.mark.parametrize("look", [lambda it: it.found(A), lambda it: it.details([])], ids=["found", "details"])
def test_a_driver_that_cannot_even_be_killed_holds_nobody_up(
    host: DirectoryHost, look: Callable[[DirectoryHost], object]
) -> None:
    stuck = '#!/bin/sh\ncase " $* " in *nvidia-smi*) exec /bin/sleep 40 ;; esac\nexec /usr/bin/timeout "$@"\n'
    for name in ("timeout", "nvidia-smi"):
        (host.root / "bin" / name).write_text(stuck)
        (host.root / "bin" / name).chmod(0o755)
    start = time.monotonic()
    look(host)
    assert time.monotonic() - start < 25
    lock = host.root / "run/ollama-slots.lock"
    held = subprocess.run(["flock", "-n", str(lock), "true"], check=False) if lock.exists() else None
    assert not held or held.returncode == 0, "nor has it the lock that the look had"
