"""The watch: whatever takes a slot out of memory, it is back within a look and its load."""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.client import asking, assert_none_failed
from tests.lab.conftest import SLOT4
from tests.lab.fleet import BACK_SECONDS, ROOT, SLOTS, STORE, Host, Project, holds, model, until

HEAL, TIMER = "ollama-slots-heal", "ollama-slots-watch.timer"
SECONDS = int(os.environ.get("WATCH_SECONDS", "2"))  # a look is after nine tenths of them
LOAD = 25  # for a small model's load, where the machine has other things to do
PROM = "/var/lib/private/ollama-warmup/ollama-slots.prom"
URL = "http://127.0.0.1:11434"
HEAD = (
    "| what happened | s until back | of these, loads | until reported | s away, by the metric | requests failed "
    "| the journal |"
)
JOURNAL = "-u ollama-slots-watch -u ollama-slots-heal"


def metrics(host: Host) -> dict[tuple[str, ...], float]:
    """The metrics, by name and labels' values."""
    families = text_string_to_metric_families(host.out(f"cat {PROM}") + "\n")
    return {
        (it.name.removeprefix("ollama_slot_"), *it.labels.values()): it.value
        for one in families
        for it in one.samples
    }


def moment(host: Host) -> str:
    """Now, by the host's clock: after a cursor of another unit's line, systemd 252 leaves out the first one."""
    return host.out("date +%s.%6N")


def said(host: Host, since: str) -> list[str]:
    """What the watch told the journal since then."""
    return host.out(f"journalctl --sync; journalctl {JOURNAL} -o cat --no-pager --since=@{since}").splitlines()


def looked(host: Host) -> None:
    """Waits, bounded, until a look has begun and ended."""
    at = metrics(host)["ollama_slots_last_look_timestamp_seconds",]
    until("a look", lambda: metrics(host)["ollama_slots_last_look_timestamp_seconds",] > at, SECONDS + 30)


@pytest.fixture
def watched(project: Project, gpu1: Host) -> Host:
    """The first host, its slots in memory and watched."""
    run = project.deploy(SLOT4, "watch=heal", f"watch_seconds={SECONDS}")
    assert run.code == 0, run.output
    looked(gpu1)
    return gpu1


def as_declared(host: Host) -> bool:
    """Whether all slots are in memory for ever, each with its window and wholly in GPU memory."""
    asked = host.run(f"curl -fs --max-time 5 {URL}/api/ps", check=False)
    if asked.returncode:
        return False
    windows = sorted(
        it["context_length"]
        for it in json.loads(asked.stdout)["models"]
        if it["expires_at"] > "2200" and it["size"] == it["size_vram"]
    )
    return windows == [4096, 8192, 8192, 16384] and host.resident(*SLOTS)


def kill_runner(name: str) -> str:
    """What kills the process that holds a slot."""
    weights = f"$(sed -n 's/^weights=//p' /var/lib/ollama-slots/{name}.slot)"
    return f"kill -9 $({holds(weights)})"


def asks(name: str, options: str = "", keep_alive: str = "") -> str:
    """What a client asks, as a command: one token."""
    more = f',"keep_alive":{keep_alive}' if keep_alive else ""
    options = f'{{"num_predict":1{options}}}'
    request = f'{{"model":"{name}","prompt":"Hi","options":{options}{more},"stream":false}}'
    return f"curl -fsS --max-time 60 -o /dev/null {URL}/api/generate -d '{request}'"


NUM_CTX = asks("backup", ',"num_ctx":1024')
AWAY = "/root/away"
OTHERS = [model(it) for it in ("smollm2-spare:135m", "smollm2-slow:135m", "smollm2-chat:135m", "gemma3-copy:270m")]


@dataclass(frozen=True)
class Way:
    """A way in which a slot leaves memory.

    + happens: the command
    + cause: that the watch counts a heal of; none where the slot does not come back by the watch
    + undo: without which the slot does not come back; then it is reported before, with these words
    """

    happens: str
    cause: str = "away"
    undo: str = ""
    reported: str = ""


WAYS = {
    "`ollama stop`": Way("ollama stop backup"),
    "a client with `keep_alive` 5m": Way(asks("backup", keep_alive='"5m"'), "expires"),
    "a client with `keep_alive` 0": Way(asks("backup", keep_alive="0")),
    "a client with a `num_ctx` of its own": Way(NUM_CTX, "window"),
    "its runner killed with 9": Way(kill_runner("backup"), "ended"),
    "a client with a `num_gpu` of its own": Way(asks("backup", ',"num_gpu":0'), "cpu"),
    "a fifth model, and more": Way(
        "; ".join(f"ollama pull --insecure {it} && {asks(it)}" for it in OTHERS),
        "away",
        "; ".join(f"ollama stop {it}" for it in OTHERS),
        "no room for it beside",
    ),
    "Ollama killed with 9": Way("kill -9 $(systemctl show -p MainPID --value ollama)", ""),
    "its disk gone, and its runner, and back": Way(
        f"mv {STORE} {STORE}.away; {kill_runner('backup')}",
        "ended",
        f"until rm -rf {STORE} && mv -T {STORE}.away {STORE}; do :; done",  # Ollama makes an empty one meanwhile
        "Ollama does not list it",
    ),
    "the GPU lost (simulated), and its runner, and back": Way(
        f"mv /etc/simulated-gpu {AWAY}; {kill_runner('backup')}",
        "ended",
        f"mv {AWAY} /etc/simulated-gpu",
        "nvidia-smi does not answer",
    ),
}
_rows: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """What happened, for docs/watch.md."""
    yield
    lines = [
        f"With `watch_seconds` {SECONDS}:",
        "",
        HEAD,
        "|---" * HEAD.count(" | ") + "|---|",
        *(_rows[it] for it in WAYS if it in _rows),
    ]
    (ROOT / ".lab" / "ways.md").write_text("".join(f"{it}\n" for it in lines))


def leave(host: Host, way: Way, since: str = "") -> tuple[float, float]:
    """Has slots leave memory, and waits until they are back; the seconds of that, and until it was reported.

    + since: a moment; without one, nothing need be reported, for a user may have loaded them again
    """
    start, reported = time.monotonic(), 0.0
    try:
        host.run(way.happens)
        if not since:
            looked(host)
        elif way.undo:
            until("it is reported", lambda: any(way.reported in it for it in said(host, since)), SECONDS + 30)
            reported = time.monotonic() - start
    finally:
        if way.undo:
            start = time.monotonic()
            host.run(way.undo)
    limit = SECONDS + LOAD if way.cause else BACK_SECONDS
    limit += 0 if since else 6 * SECONDS  # the second time it may be the third and the fourth try, after pauses
    until("all slots are as declared", lambda: as_declared(host), limit)
    return time.monotonic() - start, reported


@pytest.mark.gpu
@pytest.mark.parametrize("what", WAYS)
def test_a_slot_that_leaves_memory_is_back(watched: Host, what: str) -> None:
    """First where nobody asks; then beside a user of all slots, of whom a request may be what loads one again."""
    host, way = watched, WAYS[what]
    before, since = metrics(host), moment(host)
    back, reported = leave(host, way, since)
    looked(host)
    looked(host)
    after, told = metrics(host), said(host, since)
    away = sum(after["away_seconds_total", it] - before["away_seconds_total", it] for it in SLOTS)
    for slot in SLOTS:
        assert after["resident", slot] == 1
    healed = {key[1:]: after[key] - before[key] for key in after if key[0] == "heals_total"}
    if way.cause in {"window", "cpu"}:
        # For seconds the old runner is gone and the client's is not there yet: a look then says that it is away.
        assert 1 <= sum(healed.pop(("backup", it)) for it in ("away", way.cause)) <= 3, told
        assert not any(healed.values()), told
    elif way.cause and not way.undo:
        assert healed == dict.fromkeys(healed, 0) | {("backup", way.cause): 1}, told
        assert (away > 0) is (way.cause != "expires")
    with asking(host, *SLOTS, pause=1) as records:
        leave(host, way)
    failed = sum(len(it.failures) for it in records)
    lines = " / ".join(re.sub(r"\d{4}-\d\d-\d\dT[^:]*:\d\d:\S+|\b\d+\.\d+ s", "...", it) for it in told)
    loads = sum(float(it) for one in told for it in re.findall(r"loaded again in ([\d.]+) s", one))
    cells = (f"{back:.1f}", *(f"{it:.1f}" if it else "-" for it in (loads, reported)), f"{away:.0f}", str(failed))
    _rows[what] = f"| {what} | {' | '.join(cells)} | {lines} |"
    if way.cause and not way.undo:
        assert_none_failed(*records)


def test_while_all_is_well_nothing_is_asked_of_a_model(
    watched: Host, project: Project, figures: list[str]
) -> None:
    assert project.deploy(SLOT4, "watch=heal", "watch_seconds=1").code == 0
    looked(watched)
    since, begun = watched.now(), moment(watched)
    spent = []
    for _ in range(15):
        time.sleep(2)
        spent.append(cpu(watched))
    asked = [it for it in watched.journal("ollama", since).splitlines() if "[GIN]" in it]
    assert len([it for it in asked if "/api/ps" in it]) >= 10, "the looks are seen, each second"
    assert watched.active(TIMER) == "active"
    assert not [it for it in asked if "/api/tags" not in it and "/api/ps" not in it]
    assert said(watched, begun) == []
    figures.append(f"a look of the watch: {statistics.median(spent) * 1000:.0f} ms of the processor (median)")


def cpu(host: Host) -> float:
    """Seconds of the processor that the last look has had."""
    return int(host.out("systemctl show -p CPUUsageNSec --value ollama-slots-watch")) / 1e9


def test_a_client_that_goes_on_is_healed_a_few_times_and_then_less_and_less(watched: Host) -> None:
    since = moment(watched)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        watched.run(NUM_CTX)
        time.sleep(2)
    heals = [it for it in said(watched, since) if "loaded again" in it]  # and he may have had it again at once
    assert 2 <= len(heals) <= 6
    if len(heals) >= 5:
        assert "5 times in a row" in heals[4]
    until("all slots are as declared", lambda: as_declared(watched), 150)


def test_a_client_in_the_middle_of_an_answer_is_not_disturbed(watched: Host) -> None:
    """His own window is what it is until he is done; the slot is healed after that."""
    options = '"options":{"num_ctx":1024,"num_predict":600}'
    watched.run(
        f"systemd-run --quiet --collect --unit=client curl -sS -o /run/answer {URL}/api/generate "
        f"""-d '{{"model":"backup","prompt":"Count.","stream":false,"raw":true,{options}}}'"""
    )
    until("it has his window", lambda: 1024 in {it["context_length"] for it in watched.ps().values()}, every=0.5)
    runners = found = watched.runners()
    while watched.active("client") == "active":  # and so it was when they were found
        assert found == runners
        time.sleep(1)
        found = watched.runners()
    assert '"done":true' in watched.out("cat /run/answer")
    until("all slots are as declared", lambda: as_declared(watched), 60)


def test_a_slot_that_cannot_be_loaded_fails_the_unit(watched: Host) -> None:
    since, began = moment(watched), time.monotonic()
    weights = watched.out("sed -n 's/^weights=//p' /var/lib/ollama-slots/backup.slot")
    watched.run(f"mv {STORE}/blobs/sha256-{weights} {AWAY}")
    watched.run(kill_runner("backup"))
    until("the unit has failed", lambda: watched.active(HEAL) == "failed", SECONDS + 60)
    time.sleep(20)
    tries = [it for it in said(watched, since) if it.startswith("not resident:")]
    most = 2 + math.log2((time.monotonic() - began) / SECONDS)  # each twice as long after the one before
    assert len(tries) <= most, tries
    watched.run(f"mv {AWAY} {STORE}/blobs/sha256-{weights}")
    until("all slots are as declared", lambda: as_declared(watched), 120)
    until("the unit is reset", lambda: watched.active(HEAL) == "inactive", SECONDS + 30)


def test_a_deploy_without_a_watch_takes_it_away(watched: Host, project: Project) -> None:
    assert watched.active(TIMER) == "active"
    run = project.deploy(SLOT4)
    assert (run.code, run.changes) == (0, 1), run.output
    assert watched.out("systemctl list-unit-files 'ollama-slots-*' | grep -c ollama || true") == "0"
    assert "No such file" in watched.out("ls /var/lib/ollama-slots/watch 2>&1 || true")


def test_it_survives_a_reboot_and_counts_on(watched: Host) -> None:
    watched.run(kill_runner("backup"))
    until("it is back", lambda: as_declared(watched), SECONDS + LOAD)
    looked(watched)
    before = metrics(watched)
    watched.run("systemctl --no-block reboot")
    time.sleep(5)
    until(
        "all slots are as declared",
        lambda: watched.run("true", check=False).returncode == 0 and as_declared(watched),
        120,
    )
    looked(watched)
    after = metrics(watched)
    assert {key: value for key, value in after.items() if key[0] == "heals_total"} == {
        key: value for key, value in before.items() if key[0] == "heals_total"
    }
    assert after["away_seconds_total", "backup"] >= before["away_seconds_total", "backup"]
