"""A Prometheus that scrapes the hosts as docs/metrics.md says, with the rules and the dashboard of monitoring/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project, holds, until
from tests.lab.prometheus import Prometheus, collecting, prometheus
from tests.monitoring import queries, ready

WATCH_SECONDS = 2
AWAY = "/root/away"
KILLED = f"kill -9 $({holds('$(sed -n s/^weights=//p /var/lib/ollama-slots/backup.slot)')})"
RECORD = "/run/ollama-slots-watch/backup"


@pytest.fixture
def monitored(project: Project, fleet: tuple[Host, Host], tmp_path: Path) -> Iterator[Prometheus]:
    """Both hosts, watched and scraped; a warm-up waits for the GPU's driver for seconds, and then it is looked."""
    run = project.deploy(SLOT4, "watch=heal", f"watch_seconds={WATCH_SECONDS}", "api_seconds=20")
    assert run.code == 0, run.output
    one, two = fleet
    (tmp_path / "prometheus").mkdir()
    with collecting(one), collecting(two), prometheus(tmp_path / "prometheus", one, two) as it:
        everything = len(fleet) * len(SLOTS)
        until("all slots are in memory", lambda: it.query("sum(ollama_slot_resident)"), 60)
        until("they all are", lambda: it.values("sum(ollama_slot_resident)") == {(): everything}, 60)
        until("the watch has looked", lambda: len(it.query("ollama_slots_gpu_memory_free_bytes")) == 2, 60)
        yield it


@pytest.mark.gpu
def test_a_slot_that_leaves_memory_is_an_alert_until_the_watch_has_it_back(
    monitored: Prometheus, gpu1: Host, gpu2: Host
) -> None:
    what = ("OllamaSlotAway", "gpu1", "backup")
    assert monitored.alerts("firing") == set()
    gpu1.run(f"mv /etc/simulated-gpu {AWAY}; {KILLED}")
    try:
        until("it is pending", lambda: what in monitored.alerts("pending"), 60)
        until("it fires", lambda: what in monitored.alerts("firing"), 60)
        assert monitored.alerts("firing") == {what}
        assert monitored.values("ollama_slot_resident == 0", "instance", "slot") == {("gpu1", "backup"): 0}
    finally:
        gpu1.run(f"mv {AWAY} /etc/simulated-gpu")
    until("it is resolved", lambda: not monitored.alerts("firing") | monitored.alerts("pending"), 90)
    assert monitored.values('ollama_slot_heals_total{slot="backup", cause="ended"}', "instance")["gpu1",] >= 1
    assert monitored.values('ollama_slot_away_seconds_total{slot="backup"}', "instance")["gpu1",] >= 3

    for host in (gpu1, gpu2):
        own = f'{{instance="{host.name}"}}'
        tags = host.tags()
        made = {(it, tags[f"{it}:latest"]["digest"][:12]) for it in SLOTS}
        assert monitored.values(f"ollama_slot_info{own}", "slot", "digest") == dict.fromkeys(made, 1)
        mib = int(host.out("cat /etc/simulated-gpu"))
        [total] = monitored.values(f"ollama_slots_gpu_memory_bytes{own}").values()
        [free] = monitored.values(f"ollama_slots_gpu_memory_free_bytes{own}").values()
        held = sum(it["size_vram"] for it in host.ps().values())
        assert abs(total - mib * 2**20) <= 0.05 * 2**30
        assert 0 < free <= total - held + 0.1 * 2**30

    for it in queries():
        assert monitored.query(ready(it, host="gpu1|gpu2")), it


@dataclass(frozen=True)
class Fault:
    """Something on a host that alerts are there for.

    + happens, undo: commands
    + fire: the alerts, and their slot
    """

    happens: str
    undo: str
    fire: tuple[tuple[str, str], ...]


FAULTS = (
    Fault(
        "systemctl stop ollama-slots-watch.timer",
        "systemctl start ollama-slots-watch.timer",
        (("OllamaWatchSilent", ""),),
    ),
    Fault(
        "echo broken >/var/lib/private/ollama-warmup/broken.prom",
        "rm /var/lib/private/ollama-warmup/broken.prom",
        (("OllamaMetricsUnreadable", ""),),
    ),
    Fault(
        f"printf 'tries=4\\ntried=%s\\n' $(cut -d . -f 1 /proc/uptime) >{RECORD}; ollama stop backup",
        "true",
        (("OllamaSlotThrashing", "backup"),),
    ),
    Fault(
        f"mv /etc/simulated-gpu {AWAY}; systemctl restart --no-block ollama",
        f"mv {AWAY} /etc/simulated-gpu; systemctl restart --no-block ollama",
        (("OllamaGpuLost", ""), ("OllamaWarmUpFailed", ""), *(("OllamaSlotAway", it) for it in SLOTS)),
    ),
)


@pytest.mark.gpu
def test_every_other_alert_fires_on_its_fault_and_ends_with_it(monitored: Prometheus, gpu2: Host) -> None:
    for it in FAULTS:
        wanted = {(alert, "gpu2", slot) for alert, slot in it.fire}
        gpu2.run(it.happens)
        try:
            until(f"they fire: {wanted}", partial(monitored.fires, wanted), 120)
        finally:
            gpu2.run(it.undo)
        until("none fires", lambda: not monitored.alerts("firing"), 180)
