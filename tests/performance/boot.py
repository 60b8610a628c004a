"""From Ollama's first answer until every slot is hot: by the warm-up unit, and by bare requests."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from lab import hosts as lab_hosts
from ollama_slots.host import scripts
from tests.lab.fleet import SLOTS, Host, until
from tests.performance import hosts, kept
from tests.performance.declared import LARGE
from tests.performance.tools import OURS, changes, tools

RESTART, REBOOT, FLOOR, PARALLEL = HOWS = ("restart", "reboot", "one after the other", "all at once")
SCRIPT = scripts.libraries("engine") + (Path(__file__).parent / "boot.sh").read_text(encoding="utf-8")
PLACE, SAID = "/usr/local/lib/bench-boot.sh", "/var/lib/bench-boot"
UNIT = f"""[Service]
ExecStart=/bin/sh {PLACE} watch
StandardOutput=truncate:{SAID}
[Install]
WantedBy=multi-user.target
"""


def boot(repeats: int) -> None:
    """Measures on one host, each way in turn."""
    rows = kept.unfinished("boot")
    done = {(row["how"], row["repeat"]) for row in rows}
    host = Host("gpu1")
    hosts.pull(["gpu1"], LARGE.bases)
    hosts.reset(["gpu1"])
    with tools(["gpu1"], 0, LARGE) as side_by_side:
        changes(OURS, side_by_side.ours(), ["gpu1"])
    host.run(f"printf %s {quote(SCRIPT)} >{PLACE}")
    for repeat in range(repeats):
        for how in HOWS if repeat % 2 == 0 else reversed(HOWS):
            if (how, repeat) in done:
                continue
            in_memory, answered = measure(host, how)
            rows.append({"how": how, "repeat": repeat, "in_memory": in_memory, "answered": answered})
            kept.save("boot", rows, slots=slots(host))
            print(
                f"boot: repeat {repeat + 1}, {how:20} "
                f"in memory after {in_memory:.2f} s, answered after {answered:.2f} s",
                flush=True,
            )
    hosts.reset(["gpu1"])


def measure(host: Host, how: str) -> tuple[float, float]:
    """Seconds from the API's first answer until all slots are in memory, and until all have answered.

    Raises AssertionError where not all are there in the end.
    """
    if how == REBOOT:
        said = rebooted(host)
    else:
        arguments = {RESTART: "restart", FLOOR: "loads", PARALLEL: "parallel"}[how]
        said = host.out(f"/bin/sh {PLACE} {arguments} {' '.join(order(host))}")
    assert host.resident(*SLOTS), f"{how}: not every slot is in memory"
    in_memory, answered = said.split()
    return int(in_memory) / 1000, int(answered) / 1000


def rebooted(host: Host) -> str:
    """What the script says that watches a boot as a unit of the host's."""
    host.run(f"printf %s {quote(UNIT)} >/etc/systemd/system/bench-boot.service; rm -f {SAID}")
    host.run("systemctl daemon-reload; systemctl enable --quiet bench-boot")
    lab_hosts.reboot(host.name)
    until("the boot was watched", lambda: host.run(f"test -s {SAID}", check=False).returncode == 0)
    host.run("systemctl disable --quiet bench-boot")
    return host.out(f"cat {SAID}")


def order(host: Host) -> list[str]:
    """The slots as the warm-up takes them, the largest first."""
    sizes = {name: it["size"] for name, it in host.tags().items()}
    return sorted(SLOTS, key=lambda slot: -int(sizes[f"{slot}:latest"]))


def slots(host: Host) -> list[dict[str, Any]]:
    """What was loaded."""
    tags, ps = host.tags(), host.ps()
    runners = [ps[tags[f"{slot}:latest"]["digest"]] for slot in SLOTS]
    return [
        {"base": host.parent(slot), "context": it["context_length"], "bytes": it["size_vram"]}
        for slot, it in zip(SLOTS, runners, strict=True)
    ]
