"""Speed as it is measured on a host, by the scripts themselves: of slots and candidates, when it is quiet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pyinfra.api import Host

from ollama_slots.benchmark.asking import candidates, hosts, speed
from ollama_slots.benchmark.asking.ask import Slot, ask
from ollama_slots.benchmark.asking.kept import Kept
from ollama_slots.benchmark.asking.request import Request
from ollama_slots.benchmark.asking.timing import Procedure, Speed
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.host.questions import Reply
from tests.unit.benchmark.asking.asked import SETTINGS, Connected, item, slot
from tests.unit.benchmark.asking.test_ask import run
from tests.unit.host.directory_host import DirectoryHost
from tests.unit.host.slots import pulled

BY = Procedure(warm_ups=1, runs=2, at_depth=1, tries=2)


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    """Slot one is resident; its engine counts, and the processors are idle."""
    slot(host)

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        tokens = asked["options"]["num_predict"]
        durations = {"eval_duration": tokens * 10**7, "total_duration": tokens * 10**7 + 10**8, "load_duration": 0}
        return {"response": "so", "done_reason": "length", "eval_count": tokens, **durations}

    host.engine.says = says
    processors(host, 0)
    return host


def processors(host: DirectoryHost, busy: int) -> None:
    """The processors are so busy from now on, in percent: each wait is a second of theirs."""
    stat = host.proc.path / "stat"
    stat.write_text("cpu  9 0 0 9 0 0 0 0 0 0\n")
    count = f"awk '{{ print $1 \"  \" $2 + {busy}, 0, 0, $5 + {100 - busy}, 0, 0, 0, 0, 0, 0 }}' {stat}"
    host.programs._program("sleep", f'#!/bin/sh\nsaid=$({count}) && echo "$said" >{stat}\n')


def measured(host: DirectoryHost, by: Procedure = BY) -> Speed:
    of, connected = hosts.slot(host.found(SETTINGS), "one"), cast("Host", Connected(host))
    return speed.measure(of, hosts.sender(connected, SETTINGS, host.found(SETTINGS), of), 4096, print, by)


def test_a_slot_is_measured_and_is_as_it_was(one: DirectoryHost) -> None:
    before = one.engine.runners.ps(), one.picture()
    one.engine.requests.clear()
    found = measured(one)
    assert (found.tokens_per_sec.median, found.ttft_ms.high) == (100, 100)
    assert (found.gpu_bytes, found.load_seconds, found.set_aside) == (10**9, None, 0)
    assert [it.tokens for it in found.at_depth] == [1024, 3072]
    assert (one.engine.runners.ps(), one.picture()) == before
    assert one.engine.runners.loaded == []
    assert {key for it in one.engine.requests for key in it} == {"model", "prompt", "stream", "options"}
    assert {key for it in one.engine.requests for key in it["options"]} == {"temperature", "seed", "num_predict"}


def test_a_candidate_is_measured_and_what_its_load_took(one: DirectoryHost) -> None:
    pulled(one, "c:1b")
    connected = cast("Host", Connected(one))
    with candidates.candidate(connected, SETTINGS, "c:1b", 1) as (of, send):
        found = speed.measure(of, send, 4096, print, BY)
        again = speed.measure(of, send, 4096, print, BY)
    assert found.load_seconds
    assert again.load_seconds == found.load_seconds, "it is not loaded again"
    assert found.gpu_bytes == 10**9


@pytest.mark.parametrize("makes_way", [False, True])
def test_what_follows_a_load_does_not_count_whenever_it_is_loaded(makes_way: bool) -> None:
    """Where slots make way for it, each command unloads it in the end."""
    by, commands, loaded = Procedure(warm_ups=2, runs=3, at_depth=2, tries=2), list[int](), False

    def send(requests: Sequence[Request]) -> tuple[list[Reply], str]:
        nonlocal loaded
        replies = []
        for number, _ in enumerate(requests):
            anew = not loaded or (makes_way and number == 0)
            slow = number < 1 if makes_way and commands else sum(commands) + number < 2
            took = 10**9 * 128 // (50 if slow else 100)
            said = {"response": "so", "done": True, "eval_count": 128, "eval_duration": took}
            text = json.dumps({**said, "total_duration": took + 10**8, "load_duration": 0})
            replies.append(Reply(text, 0.1, 0.2, 200, 0, busy=0, loaded=3.0 if anew else 0.0, anew=anew))
            loaded = True
        commands.append(len(requests))
        return replies, ""

    found = speed.measure(Slot("one", "v" * 64, "w" * 64), send, 4096, print, by)
    assert (found.tokens_per_sec.low, found.tokens_per_sec.high) == (100, 100)
    assert [it.tokens_per_sec.low for it in found.at_depth] == [100, 100]
    assert found.load_seconds == 3
    assert commands == ([5, 2, 2, 3] if makes_way else [5, 2, 2])


def test_one_that_answers_once_a_command_and_is_loaded_by_each_is_timed_all_the_same() -> None:
    """A slow one, which makes slots go: what follows a load is all that there is of it."""

    def send(requests: Sequence[Request]) -> tuple[list[Reply], str]:
        said = {"response": "so", "done": True, "eval_count": 128, "eval_duration": 128 * 10**9}
        text = json.dumps({**said, "total_duration": 129 * 10**9, "load_duration": 0})
        return [Reply(text, 0.1, 0.2, 200, 0, busy=0, loaded=3.0, anew=True) for _ in requests], ""

    by = Procedure(warm_ups=2, runs=3, at_depth=0)
    found = speed.measure(Slot("one", "v" * 64, "w" * 64), send, 4096, print, by)
    assert found.tokens_per_sec.median == 1


def test_busy_processors_are_told_where_there_is_no_gpu(one: DirectoryHost) -> None:
    processors(one, 60)
    with pytest.raises(BenchmarkError, match=r"host not quiet: .* up to 60 % busy"):
        measured(one)


def test_of_gpus_the_busiest_counts_and_not_the_processors(one: DirectoryHost) -> None:
    processors(one, 60)
    (one.root / "driver").write_text("80000, 80000\n")
    (one.root / "utilization").write_text("0\n3\n")
    assert measured(one).set_aside == 0
    (one.root / "utilization").write_text("0\n85\n7\n")
    with pytest.raises(BenchmarkError, match="up to 85 % busy"):
        measured(one)
    (one.root / "utilization").write_text("[N/A]\n")
    with pytest.raises(BenchmarkError, match="up to 60 % busy"):
        measured(one)


def at_work(host: DirectoryHost, once: bool) -> None:
    """A slot's runner uses the processor: until somebody has looked once, or always."""
    [runner] = host.engine.runners.all.values()
    stat, looks = host.proc.path / f"{runner.pid}" / "stat", host.root / "looks"
    looks.touch()
    ends = f"[ ! -s {looks} ] || exit 0" if once else ":"
    line = f"echo '9 (b) S{' 0' * 10} '$$' 0' >{stat}"
    only = '[ "$1" = 0.3 ] || exec /bin/sleep 0.02'  # what others wait for is no look
    host.programs._program("sleep", f"#!/bin/sh\n{only}\n{ends}\necho x >>{looks}\n{line}\n")


def test_users_are_waited_for_before_each_item_and_not_in_the_group(one: DirectoryHost, tmp_path: Path) -> None:
    at_work(one, once=True)
    assert len(run(one, tmp_path, [item(1)])) == 1
    assert (one.root / "looks").read_text() == "x\n", "it waited, and looked again"
    (one.root / "looks").write_text("")
    connected = Connected(one)
    connected.groups = ["benchmark"]
    found = one.found(SETTINGS)
    of = hosts.slot(found, "one")
    with Kept(tmp_path / "other", of.weights, 1) as kept:
        ask(of, [item(1)], 1, kept, hosts.sender(cast("Host", connected), SETTINGS, found, of), print)
    assert (one.root / "looks").read_text() == ""


def test_a_host_that_cannot_tell_how_busy_it_is_is_not_quiet(one: DirectoryHost) -> None:
    (one.proc.path / "stat").unlink()
    with pytest.raises(BenchmarkError, match="found 0 of 4, how busy it was is not known"):
        measured(one)


def test_users_who_do_not_end_are_not_waited_for_for_ever(
    one: DirectoryHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work(one, once=False)
    monkeypatch.setattr(hosts, "TURN", 1)
    monkeypatch.setattr(hosts, "PATIENCE", 2)
    one.engine.requests.clear()
    with pytest.raises(BenchmarkError, match="its users kept it busy for 0 min: try again when they do not"):
        run(one, tmp_path, [item(1)])
    assert one.engine.requests == []


def at(host: DirectoryHost, clock: str) -> None:
    host.programs._program("date", f'#!/bin/sh\n[ "$1" = +%H%M ] && echo {clock} || exec /bin/date "$@"\n')


@pytest.mark.parametrize(
    ("hours", "clock", "asks"),
    [
        ("02:00-05:00", "0200", True),
        ("02:00-05:00", "0459", True),
        ("02:00-05:00", "0500", False),
        ("02:00-05:00", "0159", False),
        ("22:30-05:00", "2359", True),
        ("22:30-05:00", "0008", True),
        ("22:30-05:00", "0930", False),
    ],
)
def test_it_asks_in_its_hours_by_the_host_s_clock(one: DirectoryHost, hours: str, clock: str, asks: bool) -> None:
    at(one, clock)
    settings = SETTINGS.model_copy(update={"benchmark_window": hours})
    of = hosts.slot(one.found(SETTINGS), "one")
    send = hosts.sender(cast("Host", Connected(one)), settings, one.found(SETTINGS), of)
    one.engine.requests.clear()
    by = Procedure(0, 1, at_depth=0)
    if asks:
        speed.measure(of, send, 4096, print, by)
    else:
        why = f"outside of its benchmark_window, {hours}, by the host's clock: run it again then"
        with pytest.raises(BenchmarkError, match=why):
            speed.measure(of, send, 4096, print, by)
    assert bool(one.engine.requests) is asks
