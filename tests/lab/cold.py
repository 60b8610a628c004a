"""From power-on to hot with cold caches and a slow disk, with reading ahead and without. ``make cold`` runs it."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab.fleet import ROOT, SLOTS, STORE, Host, Project, model, until
from tests.lab.hosts.flavour import RESTART
from tests.lab.hosts.of_stores import DISK

ROUNDS = int(os.environ.get("COLD_ROUNDS", "5"))
RATE = 200 * 10**6  # bytes of the disk a second
UNIT = "/run/systemd/system/ollama-warmup.service.d/without.conf"
URL = "http://127.0.0.1:11434/api"
WITHOUT = (
    f"mkdir -p {UNIT.rpartition('/')[0]}; printf '[Service]\\nExecStartPre=\\n' >{UNIT}; systemctl daemon-reload"
)
WITH = f"rm -f {UNIT}; systemctl daemon-reload"
# From the API's first answer on; all as Ollama and systemd say it.
HOT = f"""systemctl start --no-block ollama
until curl -sf {URL}/version >/dev/null; do sleep 0.02; done
since=$(date +%s%N)
until [ "$(curl -s {URL}/ps | grep -o '"context_length"' | wc -l)" = 4 ]; do sleep 0.02; done
echo "$since $(date +%s%N)"
until systemctl is-active -q ollama-warmup; do sleep 0.1; done"""
BARE = """since=$(date +%s%N)
curl -s -o /dev/null -d '{"model":"SLOT","prompt":"Hi","stream":false,"options":{"num_predict":1}}' URL/generate
echo "$since $(date +%s%N)\""""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Path]:
    """Where the kernel is told how fast a disk is: by control groups of the older kind, for the whole machine."""
    groups = tmp_path / "blkio"
    groups.mkdir()
    mount = ["mount", "-t", "cgroup", "-o", "blkio", "none", str(groups)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.fail(f"expected a kernel that slows disks down (CONFIG_BLK_DEV_THROTTLING), found {mounted.stderr}")
    yield groups / "blkio.throttle.read_bps_device"
    subprocess.run(["umount", groups], check=True)


def drop() -> None:
    """Nothing of any disk is in memory any more; what a process has mapped stays."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")


def seconds(host: Host, script: str) -> float:
    """What lies between the two times that a script on the host prints, in nanoseconds."""
    begun, ended = (int(it) for it in host.run(script, timeout=300).stdout.split())
    return (ended - begun) / 1e9


def power_on(host: Host, how: str, cold: bool = True) -> float:
    """The seconds from the API's first answer until all four slots are in memory."""
    host.run(f"systemctl stop ollama-warmup ollama; {how}", timeout=100)
    if cold:
        drop()
    return seconds(host, HOT)


def bare(host: Host, slots: list[str]) -> float:
    """The sum of the same loads one after the other, each from a cold disk."""
    host.run(
        "systemctl stop ollama-warmup ollama; systemctl mask --runtime -q ollama-warmup; systemctl start ollama"
    )
    host.run(f"until curl -sf {URL}/version >/dev/null; do sleep 0.05; done")
    took = 0.0
    for slot in slots:
        drop()
        took += seconds(host, BARE.replace("SLOT", slot).replace("URL", URL))
    host.run("systemctl unmask --runtime -q ollama-warmup")
    return took


def test_from_power_on_to_hot(project: Project, gpu1: Host, slow: Path) -> None:
    others = (f"slot2_model={model('smollm2-math:135m')}", f"slot4_model={model('smollm2-chat:135m')}")
    deployed = project.deploy(*others, "watch=off")
    assert deployed.code == 0, deployed.output
    move = f"{DISK}cp -a {STORE}/. /mnt/disk/; chown ollama: /mnt/disk; mount --bind /mnt/disk {STORE}\n{RESTART}"
    gpu1.run(move, timeout=300)
    device = int(gpu1.out("stat -c %d /mnt/disk/blobs"))
    slow.write_text(f"{device >> 8}:{device & 255} {RATE}")
    try:
        took = measured(gpu1)
    finally:
        slow.write_text(f"{device >> 8}:{device & 255} 0")
    weights = sum(int(it) for it in gpu1.out(f"stat -c %s {blobs(gpu1)}").split())
    lines = [
        f"{len(SLOTS)} slots, {weights / 1e6:.0f} MB of weights, a disk of {RATE / 1e6:.0f} MB/s; "
        f"of {ROUNDS} rounds the median, the least and the most:",
        "",
        "| from the API's first answer to all slots in memory | s |",
        "|---|---|",
        *(
            f"| {what} | {statistics.median(it):.2f} ({min(it):.2f} to {max(it):.2f}) |"
            for what, it in took.items()
        ),
    ]
    (ROOT / ".lab" / "cold.md").write_text("".join(f"{it}\n" for it in lines))
    ahead, without = (statistics.median(took[it]) for it in ("weights read ahead", "not read ahead"))
    assert ahead < without, "reading ahead is to be worth it"


def blobs(host: Host) -> str:
    """The weights of all slots, as files on the host."""
    digests = host.out("sed -n 's/^weights=//p' /var/lib/ollama-slots/*.slot").split()
    return " ".join(f"{STORE}/blobs/sha256-{it}" for it in digests)


def read_ahead(host: Host) -> int:
    """How many weights were read ahead so far."""
    return host.out("journalctl -q -o cat -u ollama-slots-ahead").count(" GB of its weights read ahead in ")


def have_read(host: Host, count: int) -> bool:
    """Whether it has come to so many."""
    return read_ahead(host) == count


def measured(host: Host) -> dict[str, list[float]]:
    """The seconds of each way, in turn."""
    took: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        before = read_ahead(host)
        took.setdefault("weights read ahead", []).append(power_on(host, WITH))
        until("all are read", partial(have_read, host, before + len(SLOTS)))
        took.setdefault("not read ahead", []).append(power_on(host, WITHOUT))
        took.setdefault("the weights in memory already", []).append(power_on(host, WITHOUT, cold=False))
        took.setdefault("the sum of bare loads, each with a cold disk", []).append(bare(host, [*SLOTS]))
    return took
